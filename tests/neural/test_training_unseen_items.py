"""Negatives: never seen, evenly drawn, the same for any batch."""

from __future__ import annotations

import torch

from nightreel.neural.training.objective import UnseenItems, scrambled

# User 0 has seen 1 and 3 of five items, user 1 all, user 2 none, user 3 all but 2, user 4 the first and the last.
USERS = torch.tensor([0, 0, 1, 1, 1, 1, 1, 3, 3, 3, 3, 4, 4, 0, 0])
ITEMS = torch.tensor([3, 1, 4, 2, 0, 1, 3, 0, 1, 3, 4, 4, 0, 3, 1])
UNSEEN = UnseenItems(USERS, ITEMS, n_users=5, n_items=5)


def test_numbers_in_order_give_the_unseen_items_in_order() -> None:
    rows, items = UNSEEN.draw(torch.tensor([0, 2, 3, 4]), torch.arange(3).expand(4, 3))
    assert rows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert items.tolist() == [0, 2, 4, 0, 1, 2, 2, 2, 2, 1, 2, 3]


def test_who_has_seen_everything_gets_none() -> None:
    rows, items = UNSEEN.draw(torch.tensor([1, 3, 1]), torch.arange(6).reshape(3, 2))
    assert rows.tolist() == [1, 1]
    assert items.tolist() == [2, 2]


def test_no_users_get_nothing() -> None:
    rows, items = UNSEEN.draw(torch.empty(0, dtype=torch.int64), torch.empty(0, 4, dtype=torch.int64))
    assert len(rows) == len(items) == 0


def test_a_million_draws_hit_no_seen_item_and_all_others_evenly() -> None:
    generator = torch.Generator().manual_seed(1)
    seen = torch.rand(100, 40, generator=generator) < torch.linspace(0.0, 1.0, 100)[:, None]
    unseen = UnseenItems(*seen.nonzero(as_tuple=True), n_users=100, n_items=40)
    users = torch.arange(100).repeat(2_500)
    numbers = scrambled(torch.arange(len(users))[:, None], torch.arange(4))
    rows, items = unseen.draw(users, numbers)
    counts = torch.zeros(100, 40).index_put_((users[rows], items), torch.ones(len(items)), accumulate=True)
    assert not counts[seen].any()
    expected = 10_000 / (~seen).sum(dim=1, keepdim=True)
    spread = (counts - expected) / expected.sqrt()
    assert (~seen).any(dim=1).sum() > 95
    assert spread[~seen].abs().max() < 5.0


def test_scrambled_numbers_are_not_negative_fill_their_range_and_do_not_repeat() -> None:
    numbers = scrambled(torch.arange(1000)[:, None], torch.arange(100), 7)
    assert numbers.min() >= 0
    assert len(numbers.unique()) == 100_000
    shares = torch.bincount((numbers.flatten() >> 60), minlength=8) / 100_000
    torch.testing.assert_close(shares, torch.full((8,), 0.125), rtol=0.0, atol=0.005)


def test_scrambled_numbers_depend_on_each_part_and_on_nothing_else() -> None:
    whole = scrambled(torch.arange(10)[:, None], torch.arange(3), 5)
    assert torch.equal(scrambled(torch.tensor([[4]]), torch.tensor([2]), 5)[0, 0], whole[4, 2])
    assert not (scrambled(torch.arange(10)[:, None], torch.arange(3), 6) == whole).any()


def test_splitmix64_is_the_published_one() -> None:
    # The first output of SplitMix64 from state 0 is 0xE220A8397B1DCDAF; the top bit is dropped.
    assert scrambled(torch.tensor(0)).item() == 0xE220A8397B1DCDAF & (2**63 - 1)
