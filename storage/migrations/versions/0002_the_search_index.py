"""The search index: FTS5 on SQLite, tsvector with GIN on PostgreSQL

Revision ID: 0002
Revises: 0001

"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # The words come prepared and each once: no offsets, no sizes, and spaces are all that divides them.
        op.execute(
            "CREATE VIRTUAL TABLE content_fts USING fts5("
            "item_id UNINDEXED, facets, title, about, everything, tokenize='ascii', detail=column, columnsize=0)"
        )
    else:
        op.execute(
            "CREATE TABLE content_fts ("
            "rowid BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id VARCHAR(64) NOT NULL, words TSVECTOR NOT NULL)"
        )
        op.execute("CREATE INDEX ix_content_fts_words ON content_fts USING gin (words)")


def downgrade() -> None:
    op.execute("DROP TABLE content_fts")
