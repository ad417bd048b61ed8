"""The tables of Cave à Vin 3.0.0, written as its SQLAlchemy models create them.

For the demonstration and the tests only: a real database belongs to the application, and no job
ever creates one of these tables. It must not know about rows, jobs or settings.
"""

import sqlite3

__all__ = ["create"]

TABLES: tuple[str, ...] = (
    """CREATE TABLE user (
        id INTEGER NOT NULL,
        username VARCHAR(80) NOT NULL,
        email VARCHAR(255),
        password VARCHAR(200) NOT NULL,
        has_temporary_password BOOLEAN NOT NULL,
        is_admin BOOLEAN NOT NULL,
        default_cellar_id INTEGER,
        parent_id INTEGER,
        created_at DATETIME,
        openai_api_key_encrypted TEXT,
        PRIMARY KEY (id),
        UNIQUE (username),
        UNIQUE (email),
        FOREIGN KEY(default_cellar_id) REFERENCES cellar (id),
        FOREIGN KEY(parent_id) REFERENCES user (id)
    )""",
    """CREATE TABLE cellar_category (
        id INTEGER NOT NULL,
        name VARCHAR(80) NOT NULL,
        description TEXT,
        display_order INTEGER,
        PRIMARY KEY (id),
        UNIQUE (name)
    )""",
    """CREATE TABLE cellar (
        id INTEGER NOT NULL,
        name VARCHAR(120) NOT NULL,
        floors INTEGER NOT NULL,
        bottles_per_floor INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        category_id INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(user_id) REFERENCES user (id),
        FOREIGN KEY(category_id) REFERENCES cellar_category (id)
    )""",
    """CREATE TABLE cellar_floor (
        id INTEGER NOT NULL,
        cellar_id INTEGER NOT NULL,
        level INTEGER NOT NULL,
        capacity INTEGER NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT uq_cellar_floor_level UNIQUE (cellar_id, level),
        FOREIGN KEY(cellar_id) REFERENCES cellar (id)
    )""",
    """CREATE TABLE alcohol_category (
        id INTEGER NOT NULL,
        name VARCHAR(80) NOT NULL,
        description TEXT,
        display_order INTEGER,
        PRIMARY KEY (id),
        UNIQUE (name)
    )""",
    """CREATE TABLE alcohol_subcategory (
        id INTEGER NOT NULL,
        name VARCHAR(80) NOT NULL,
        category_id INTEGER NOT NULL,
        description TEXT,
        display_order INTEGER,
        badge_bg_color VARCHAR(20) NOT NULL,
        badge_text_color VARCHAR(20) NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT uq_category_subcategory UNIQUE (category_id, name),
        FOREIGN KEY(category_id) REFERENCES alcohol_category (id)
    )""",
    """CREATE TABLE wine (
        id INTEGER NOT NULL,
        name VARCHAR(120) NOT NULL,
        barcode VARCHAR(20),
        extra_attributes JSON NOT NULL,
        image_url VARCHAR(255),
        label_image_data TEXT,
        quantity INTEGER,
        cellar_id INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        subcategory_id INTEGER,
        created_at DATETIME NOT NULL,
        updated_at DATETIME NOT NULL,
        PRIMARY KEY (id),
        UNIQUE (barcode),
        FOREIGN KEY(cellar_id) REFERENCES cellar (id),
        FOREIGN KEY(user_id) REFERENCES user (id),
        FOREIGN KEY(subcategory_id) REFERENCES alcohol_subcategory (id)
    )""",
    """CREATE TABLE wine_insight (
        id INTEGER NOT NULL,
        wine_id INTEGER NOT NULL,
        category VARCHAR(50),
        title VARCHAR(200),
        content TEXT NOT NULL,
        source_name VARCHAR(120),
        source_url VARCHAR(255),
        weight INTEGER NOT NULL,
        created_at DATETIME NOT NULL,
        updated_at DATETIME NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(wine_id) REFERENCES wine (id)
    )""",
    """CREATE TABLE wine_consumption (
        id INTEGER NOT NULL,
        wine_id INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        consumed_at DATETIME NOT NULL,
        quantity INTEGER NOT NULL,
        comment TEXT,
        snapshot_name VARCHAR(120) NOT NULL,
        snapshot_year INTEGER,
        snapshot_region VARCHAR(120),
        snapshot_grape VARCHAR(80),
        snapshot_cellar VARCHAR(120),
        PRIMARY KEY (id),
        FOREIGN KEY(wine_id) REFERENCES wine (id),
        FOREIGN KEY(user_id) REFERENCES user (id)
    )""",
    """CREATE TABLE smtp_config (
        id INTEGER NOT NULL,
        name VARCHAR(100) NOT NULL,
        host VARCHAR(255) NOT NULL,
        port INTEGER NOT NULL,
        username VARCHAR(255),
        password_encrypted TEXT,
        use_tls BOOLEAN NOT NULL,
        use_ssl BOOLEAN NOT NULL,
        sender_email VARCHAR(255) NOT NULL,
        sender_name VARCHAR(100),
        timeout INTEGER NOT NULL,
        is_active BOOLEAN NOT NULL,
        is_default BOOLEAN NOT NULL,
        created_at DATETIME NOT NULL,
        updated_at DATETIME NOT NULL,
        last_test_at DATETIME,
        last_test_success BOOLEAN,
        last_test_error TEXT,
        PRIMARY KEY (id)
    )""",
    """CREATE TABLE email_log (
        id INTEGER NOT NULL,
        smtp_config_id INTEGER,
        recipient_email VARCHAR(255) NOT NULL,
        recipient_user_id INTEGER,
        subject VARCHAR(500) NOT NULL,
        template_name VARCHAR(100),
        status VARCHAR(20) NOT NULL,
        error_message TEXT,
        sent_at DATETIME,
        created_at DATETIME NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(smtp_config_id) REFERENCES smtp_config (id),
        FOREIGN KEY(recipient_user_id) REFERENCES user (id)
    )""",
    """CREATE TABLE activity_log (
        id INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        action VARCHAR(50) NOT NULL,
        entity_type VARCHAR(50),
        entity_id INTEGER,
        details JSON,
        ip_address VARCHAR(45),
        user_agent VARCHAR(255),
        created_at DATETIME NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(user_id) REFERENCES user (id)
    )""",
    """CREATE TABLE api_token (
        id INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        name VARCHAR(100) NOT NULL,
        token_hash VARCHAR(64) NOT NULL,
        token_prefix VARCHAR(8) NOT NULL,
        is_active BOOLEAN NOT NULL,
        rate_limit INTEGER NOT NULL,
        created_at DATETIME NOT NULL,
        last_used_at DATETIME,
        expires_at DATETIME,
        PRIMARY KEY (id),
        FOREIGN KEY(user_id) REFERENCES user (id),
        UNIQUE (token_hash)
    )""",
    """CREATE TABLE api_token_usage (
        id INTEGER NOT NULL,
        token_id INTEGER NOT NULL,
        timestamp DATETIME NOT NULL,
        endpoint VARCHAR(255) NOT NULL,
        method VARCHAR(10) NOT NULL,
        status_code INTEGER NOT NULL,
        ip_address VARCHAR(45),
        user_agent VARCHAR(255),
        response_time_ms INTEGER,
        PRIMARY KEY (id),
        FOREIGN KEY(token_id) REFERENCES api_token (id)
    )""",
)

INDICES: tuple[tuple[str, str], ...] = (
    ("user", "parent_id"),
    ("cellar", "user_id"),
    ("wine", "user_id"),
    ("wine_insight", "wine_id"),
    ("wine_consumption", "wine_id"),
    ("wine_consumption", "user_id"),
    ("activity_log", "user_id"),
    ("activity_log", "action"),
    ("activity_log", "created_at"),
    ("api_token", "user_id"),
    ("api_token_usage", "token_id"),
    ("api_token_usage", "timestamp"),
)
"""Table and column of each non-unique index; `wine.cellar_id` and `email_log.created_at` have none."""


def create(connection: sqlite3.Connection) -> None:
    """Create every table and index in one transaction; the database must hold none of them yet."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for statement in TABLES:
            connection.execute(statement)
        for table, column in INDICES:
            connection.execute(f"CREATE INDEX ix_{table}_{column} ON {table} ({column})")
