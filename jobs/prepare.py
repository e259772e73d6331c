"""Filter, index and split the ratings.

Reads bronze_ratings, bronze_items and, with metadata.path, bronze_metadata. Writes silver_interactions, silver_users,
silver_items, silver_match_rates, silver_item_text, silver_vocabulary.

    ./spark-submit.sh prepare --set filter.min_ratings_per_user=200 --set split.test_rows=100000
"""

from nightreel.job import run
from nightreel.nightly import prepare

if __name__ == "__main__":
    run(prepare, __doc__, alone=True)
