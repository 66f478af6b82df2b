//! The two folders of migrations make the same schema.

use std::collections::BTreeSet;

use headshot_storage::{AsConn, Conn};

use crate::support::{Kind, read};

async fn lines(
    conn: &mut impl AsConn,
    sqlite: &'static str,
    postgres: &'static str,
) -> BTreeSet<String> {
    let rows: Vec<(String,)> = match conn.conn() {
        Conn::Sqlite(conn) => sqlx::query_as(sqlite).fetch_all(conn).await.unwrap(),
        Conn::Postgres(conn) => sqlx::query_as(postgres).fetch_all(conn).await.unwrap(),
    };
    rows.into_iter().map(|row| row.0).collect()
}

const TABLES: &str = "SELECT name || CASE WHEN strict THEN '' ELSE ' is not strict' END FROM pragma_table_list \
    WHERE schema = 'main' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\'";
const TABLES_POSTGRES: &str = "SELECT table_name::text FROM information_schema.tables \
    WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'";

/// Table, column, type, nullability, place in the primary key.
const COLUMNS: &str = "SELECT t.name || '.' || c.name || ' ' || lower(c.type) \
        || CASE WHEN c.\"notnull\" THEN ' not null' ELSE '' END || CASE WHEN c.pk > 0 THEN ' key ' || c.pk ELSE '' END \
    FROM pragma_table_list t, pragma_table_info(t.name) c \
    WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\'";
const COLUMNS_POSTGRES: &str = "SELECT r.relname || '.' || a.attname || ' ' \
        || CASE t.typname WHEN 'int8' THEN 'integer' WHEN 'bytea' THEN 'blob' ELSE t.typname END \
        || CASE WHEN c.collname IS NULL OR c.collname = 'C' THEN '' ELSE ' collated ' || c.collname END \
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END \
        || COALESCE(' key ' || array_position(i.indkey::smallint[], a.attnum) + 1, '') \
    FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid JOIN pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_collation c ON c.oid = a.attcollation \
    LEFT JOIN pg_index i ON i.indrelid = r.oid AND i.indisprimary \
    WHERE r.relkind = 'r' AND r.relnamespace = 'public'::regnamespace AND r.relname NOT LIKE '\\_sqlx%' \
    AND a.attnum > 0 AND NOT a.attisdropped";

/// Index, table, columns in order, uniqueness, partiality.
const INDEXES: &str = "SELECT i.name || ' on ' || t.name || ' (' \
        || (SELECT group_concat(x.name, ', ' ORDER BY x.seqno) FROM pragma_index_info(i.name) x) || ')' \
        || CASE WHEN i.\"unique\" THEN ' unique' ELSE '' END || CASE WHEN i.partial THEN ' partial' ELSE '' END \
    FROM pragma_table_list t, pragma_index_list(t.name) i WHERE t.schema = 'main' AND i.origin = 'c'";
const INDEXES_POSTGRES: &str = "SELECT n.relname || ' on ' || r.relname || ' (' \
        || (SELECT string_agg(a.attname, ', ' ORDER BY x.place) \
            FROM unnest(i.indkey::smallint[]) WITH ORDINALITY x (attnum, place) \
            JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = x.attnum) || ')' \
        || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || CASE WHEN i.indpred IS NULL THEN '' ELSE ' partial' END \
    FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid JOIN pg_class r ON r.oid = i.indrelid \
    WHERE r.relnamespace = 'public'::regnamespace AND r.relname NOT LIKE '\\_sqlx%' AND NOT i.indisprimary";

const REFERENCES: &str = "SELECT t.name || '.' || f.\"from\" || ' to ' || f.\"table\" || '.' || f.\"to\" \
        || ' on delete ' || lower(f.on_delete) \
    FROM pragma_table_list t, pragma_foreign_key_list(t.name) f WHERE t.schema = 'main'";
const REFERENCES_POSTGRES: &str = "SELECT f.conrelid::regclass || '.' || a.attname || ' to ' || f.confrelid::regclass \
        || '.' || b.attname || ' on delete ' \
        || CASE f.confdeltype WHEN 'a' THEN 'no action' WHEN 'n' THEN 'set null' WHEN 'c' THEN 'cascade' ELSE f.confdeltype::text END \
    FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1] \
    JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = f.confkey[1] WHERE f.contype = 'f'";

/// Which literals the condition of a partial index names.
const CONDITIONS: &str = "SELECT name || ' ' || substr(sql, instr(sql, 'WHERE')) FROM sqlite_schema \
    WHERE type = 'index' AND sql LIKE '%WHERE%'";
const CONDITIONS_POSTGRES: &str = "SELECT indexname || ' ' || substr(indexdef, strpos(indexdef, 'WHERE')) \
    FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%WHERE%'";

#[tokio::test]
async fn both_folders_make_the_same_schema() {
    let (sqlite, postgres) = (Kind::Sqlite.open().await, Kind::Postgres.open().await);
    let (mut sqlite, mut postgres) = (read(&sqlite).await, read(&postgres).await);
    for (what, here, there, least) in [
        ("tables", TABLES, TABLES_POSTGRES, 16),
        ("columns", COLUMNS, COLUMNS_POSTGRES, 112),
        ("indexes", INDEXES, INDEXES_POSTGRES, 12),
        ("references", REFERENCES, REFERENCES_POSTGRES, 9),
    ] {
        let in_sqlite = lines(&mut sqlite, here, there).await;
        let in_postgres = lines(&mut postgres, here, there).await;
        assert_eq!(in_sqlite, in_postgres, "{what}");
        assert!(in_sqlite.len() >= least, "only {} {what}", in_sqlite.len());
    }
}

#[tokio::test]
async fn partial_indexes_have_the_same_condition() {
    let (sqlite, postgres) = (Kind::Sqlite.open().await, Kind::Postgres.open().await);
    let mut found = Vec::new();
    for database in [&sqlite, &postgres] {
        let mut conn = read(database).await;
        let conditions = lines(&mut conn, CONDITIONS, CONDITIONS_POSTGRES).await;
        let literals = conditions.iter().map(|line| {
            let name = line.split(' ').next().unwrap().to_owned();
            let literals: Vec<_> = line
                .split('\'')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            (name, literals)
        });
        found.push(literals.collect::<Vec<_>>());
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].len(), 6);
}
