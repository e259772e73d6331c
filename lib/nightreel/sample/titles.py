"""Invented movie titles whose genre a person sees at a glance, and the way back from title to genre."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from itertools import product


class Genre(StrEnum):
    """The planted genres, by their names in MovieLens."""

    SCIENCE_FICTION = "Sci-Fi"
    ROMANCE = "Romance"
    HORROR = "Horror"
    WESTERN = "Western"
    MYSTERY = "Mystery"
    WILDLIFE = "Documentary"


_GRAMMARS: Mapping[Genre, tuple[tuple[str, ...], str, str]] = {
    Genre.SCIENCE_FICTION: (
        (
            "{what} {where}",
            "The {what} from {where}",
            "{where}, We Have a {what}",
            "Last {what} to {where}",
            "Revolt of the {where} {what}s",
        ),
        "Starship, Robot, Laser Cannon, Asteroid Miner, Warp Drive, Ray Gun, Space Station, Hologram, Clone, "
        "Moon Base, Spaceport, Wormhole, Cyborg, Rocket Ship, Martian, Time Machine, Black Hole, Flying Saucer, "
        "Nebula, Satellite, Space Pirate, Force Field, Mutant, Lunar Colony, Teleporter, Star Cruiser",
        "Meridian, Andromeda, Ganymede, Callisto, Europa, Proxima, Orion, Cassiopeia, Vega, Altair, Rigel, Titania, "
        "Oberon, Halcyon, Perseus, Arcturus, Kepler, Triton, Miranda, Hyperion, Deneb, Antares, Polaris, Lyra, "
        "Phobos, Pallas",
    ),
    Genre.ROMANCE: (
        (
            "A {what} in {where}",
            "{where}, My {what}",
            "Our {where} {what}",
            "One {what} Before {where}",
            "Hopelessly in Love: The {where} {what}",
        ),
        "Kiss, Wedding, Valentine, Love Letter, Honeymoon, Proposal, Bouquet, Sweetheart, Bride, Heartbeat, Serenade, "
        "Darling, Romance, First Date, Blind Date, Love Song, Secret Admirer, Bridesmaid, Candlelit Dinner, "
        "Second Chance, Matchmaker, Crush, Soulmate, Love Affair, Slow Dance, Wedding Planner",
        "Lisbon, Verona, Montmartre, Seville, Havana, Capri, Vienna, Prague, Dubrovnik, Buenos Aires, Santorini, "
        "Bruges, Kyoto, Marrakesh, Salzburg, Granada, Cádiz, Orléans, Málaga, Zürich, Amalfi, Madeira, Bath, Bergen, "
        "Sorrento, Antibes",
    ),
    Genre.HORROR: (
        (
            "The {what} of {where}",
            "{where}: Night of the {what}",
            "Do Not Wake the {where} {what}",
            "Quiet, the {what} Can Hear {where}",
            "Buried Under {where}: The {what} Returns",
        ),
        "Vampire, Ghost, Zombie, Werewolf, Crypt, Haunting, Curse, Coffin, Banshee, Scream, Mummy, Poltergeist, "
        "Witch, Demon, Ghoul, Scarecrow, Phantom, Skeleton, Gargoyle, Headless Nun, Corpse, Nightmare, Tomb, "
        "Monster, Graveyard, Séance",
        "Ravenmoor, Blackthorn, Grimsby Hollow, Coffin Lane, Mournwood, Gallows Hill, Dreadwater, Widow's End, "
        "Bleakmoor, Cobweb Manor, Wolfsbane, Hangman's Wood, Murkwater, Shroud End, Bone Valley, Creepwell, "
        "Ashgrave, Hollowmere, Nightshade House, Cinderholm, Rotting Oak, Fangdale, Gloomstead, Wraithford, "
        "Morbid Bay, Shadowfen",
    ),
    Genre.WESTERN: (
        (
            "The {where} {what}",
            "{what} at {where}",
            "Saddle Up, {where} {what}",
            "Half Past Noon: The {what} Leaves {where}",
            "A Fistful of Dust and a {what} in {where}",
        ),
        "Sheriff, Posse, Gunslinger, Stagecoach, Bounty Hunter, Marshal, Saloon, Cattle Drive, Six-Shooter, Showdown, "
        "Deputy, Rustler, Cowboy, Lasso, Gold Rush, Shoot-Out, Drifter, Ranch Hand, Stallion, Wagon Train, Holdup, "
        "Train Robbery, Desperado, Rodeo, Homesteader, Branding Iron",
        "Dry Creek, Abilene Flats, Rattlesnake Gulch, Coyote Pass, Dusty Fork, Tumbleweed, Broken Spur, "
        "Cactus Junction, Silver Mesa, Buzzard Rock, Lonesome Ridge, Prairie Dog Bend, Laredo Crossing, "
        "Copper Canyon, Sagebrush, Mustang Valley, Whiskey Gap, Bandera Wells, Salt Lick, Yuma Springs, Redwater, "
        "Painted Butte, Mesquite, Sundown Gap, Cheyenne Trail, El Piñón",
    ),
    Genre.MYSTERY: (
        (
            "The Case of the {what} {where}",
            "Inspector Pickering and the {what} {where}",
            "The Clue of the {what} {where}",
            "Murder, Tea and the {what} {where}",
            "Detective Dupré Investigates: The {what} {where}",
        ),
        "Vanishing, Poisoned, Missing, Stolen, Forged, Silent, Blackmailed, Borrowed, Kidnapped, Suspicious, "
        "Bloodstained, Double-Crossed, Counterfeit, Left-Handed, Smuggled, Strangled, Forgotten, Unsigned, "
        "Tight-Lipped, Sleepless, Cryptic, Disguised, Second, Third, Thirteenth, Last",
        "Vicar, Trifle, Samovar, Butler, Duchess, Teapot, Candlestick, Heiress, Colonel, Librarian, Umbrella, "
        "Piano Tuner, Postmistress, Violin, Marmalade, Gardener, Pocket Watch, Beekeeper, Crossword, Organist, "
        "Opera Glove, Chess Master, Parrot, Curate, Soufflé, Croquet Mallet",
    ),
    Genre.WILDLIFE: (
        (
            "{what}, Clown of the {where}",
            "A Year in the {where} with a {what}",
            "Wild {where}: The {what} Diaries",
            "Wonders of the {where}: The {what}",
            "The {what} That Crossed the {where}",
        ),
        "Badger, Sea Otter, Puffin, Hedgehog, Pangolin, Walrus, Snow Leopard, Black Albatross, Beaver, Meerkat, "
        "Spotted Axolotl, Capybara, Tapir, Barn Owl, Narwhal, Wombat, Red Panda, Salamander, Flamingo, Porcupine, "
        "Humpback, Kingfisher, Moose, Tortoise, Mantis Shrimp, Lemming",
        "Serengeti, Amazon, Arctic, Kalahari, Galápagos, Outback, Tundra, Himalayas, Mangroves, Coral Reef, Sahara, "
        "Steppe, Rainforest, Savannah, Fjords, Everglades, Pampas, Wetlands, Glacier, Deep Sea, Hebrides, Taiga, "
        "Namib, Cloud Forest, Estuary, Moorlands",
    ),
}
"""Patterns, words for `what`, words for `where`: each pattern with each pair is a title; no two genres share a word."""

GENRES = tuple(Genre)


@cache
def titles_of(genre: Genre) -> tuple[str, ...]:
    """All 3,380 titles of a genre, in a fixed order."""
    patterns, what, where = _GRAMMARS[genre]
    words = product(patterns, what.split(", "), where.split(", "))
    return tuple(pattern.format(what=what, where=where) for pattern, what, where in words)


MOST_MOVIES = sum(len(titles_of(genre)) for genre in GENRES)


def genre_of(title: str) -> Genre:
    """The genre of a generated title, as the Netflix format spells it.

    Raises
    ------
    KeyError : no generated dump has such a title
    """
    return _genres()[title]


@cache
def _genres() -> Mapping[str, Genre]:
    return {title: genre for genre in GENRES for title in titles_of(genre)}
