//! Statements about several rows. On SQLite each round trip to the writer's thread takes longer than
//! the row itself, and all of them are taken while everybody else waits for the write lock.

/// How many rows a statement is about. Other numbers are cut into these: few texts, each prepared once.
pub(crate) const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// The texts of a statement on both databases, for each of [`SIZES`].
#[derive(Debug)]
pub(crate) struct Many {
    pub(crate) sqlite: [String; SIZES.len()],
    pub(crate) postgres: [String; SIZES.len()],
}

impl Many {
    /// `head row, row, ... tail`, where `row` has a `?` for each value.
    ///
    /// PostgreSQL knows numbered places only. SQLite keeps the names of numbered ones in a list that
    /// the driver makes it walk for each value: with thousands of values that takes longer than the
    /// insert.
    pub(crate) fn new(head: &str, row: &str, tail: &str) -> Self {
        let of = |rows: usize| format!("{head} {} {tail}", vec![row; rows].join(", "));
        Self {
            sqlite: SIZES.map(of),
            postgres: SIZES.map(|rows| numbered(&of(rows))),
        }
    }
}

/// The same text with `$1`, `$2`, ... for each `?`.
fn numbered(text: &str) -> String {
    let mut parts = text.split('?');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        whole.push('$');
        whole.push_str(&(index + 1).to_string());
        whole.push_str(part);
    }
    whole
}

/// `execute_many!(tx, MANY, rows, |row| bind, ...)`: the number of rows that changed.
macro_rules! execute_many {
    ($tx:expr, $many:expr, $rows:expr, |$row:pat_param| $($bind:expr),+ $(,)?) => {{
        let many: &'static $crate::many::Many = $many;
        let mut rest = $rows;
        let mut changed = 0;
        for (place, size) in $crate::many::SIZES.into_iter().enumerate() {
            while rest.len() >= size {
                let (chunk, after) = rest.split_at(size);
                rest = after;
                let done = match $crate::conn::AsConn::conn($tx) {
                    $crate::conn::Conn::Sqlite(conn) => {
                        let mut query = sqlx::query(many.sqlite[place].as_str());
                        for $row in chunk {
                            query = query$(.bind($bind))+;
                        }
                        query.execute(conn).await.map(|done| done.rows_affected())
                    }
                    $crate::conn::Conn::Postgres(conn) => {
                        let mut query = sqlx::query(many.postgres[place].as_str());
                        for $row in chunk {
                            query = query$(.bind($bind))+;
                        }
                        query.execute(conn).await.map(|done| done.rows_affected())
                    }
                };
                changed += done.map_err(|source| {
                    $crate::error::Error::of(source, $crate::conn::AsConn::location($tx))
                })?;
            }
        }
        Ok::<u64, $crate::error::Error>(changed)
    }};
}

pub(crate) use execute_many;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_for_postgresql_alone() {
        let many = Many::new(
            "INSERT INTO t VALUES",
            "(?, CAST(? AS BIGINT))",
            "RETURNING a",
        );
        assert_eq!(
            many.sqlite[4],
            "INSERT INTO t VALUES (?, CAST(? AS BIGINT)) RETURNING a"
        );
        assert_eq!(
            many.postgres[4],
            "INSERT INTO t VALUES ($1, CAST($2 AS BIGINT)) RETURNING a"
        );
        assert!(many.postgres[2].ends_with("($31, CAST($32 AS BIGINT)) RETURNING a"));
        assert_eq!(many.sqlite[0].matches('?').count(), 512);
    }
}
