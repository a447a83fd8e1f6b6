"""The blocks of the search index on PostgreSQL, so that the newest rows can be searched alone

Revision ID: 0003
Revises: 0002

"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            "UPDATE content_fts "
            "SET words = words || array_to_tsvector(ARRAY['S' || (rowid >> 12), 'L' || (rowid >> 18)])"
        )
        # Words wait here to be sorted in: more of them make writing faster, and every search reads them all.
        op.execute("ALTER INDEX ix_content_fts_words SET (gin_pending_list_limit = 1024)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER INDEX ix_content_fts_words RESET (gin_pending_list_limit)")
        op.execute(
            "UPDATE content_fts SET words = ts_delete("
            "words, ARRAY['S' || (rowid >> 12), 'L' || (rowid >> 18)])"
        )
