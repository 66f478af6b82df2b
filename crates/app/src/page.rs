//! Pages of lists: `limit`, `offset`, and how many there are (contract: README.md).

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    limit: i64,
    offset: i64,
}

/// Rows that are read at a time where a list has no pages.
pub(crate) const STEP: i64 = 200;

impl Slice {
    /// The published default.
    pub const LIMIT: i64 = 50;
    /// The published most.
    pub const LIMIT_MAX: i64 = 200;

    /// `limit` items (at most [`Self::LIMIT_MAX`], at least 1) behind the first `offset`.
    pub fn new(limit: i64, offset: i64) -> Self {
        Self {
            limit: limit.clamp(1, Self::LIMIT_MAX),
            offset: offset.max(0),
        }
    }

    /// How many at most.
    pub const fn limit(self) -> i64 {
        self.limit
    }

    /// Behind how many.
    pub const fn offset(self) -> i64 {
        self.offset
    }

    pub(crate) const fn bounds(self) -> (i64, i64) {
        (self.limit, self.offset)
    }
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: i64,
    /// What was asked for.
    pub slice: Slice,
}

impl<T> Page<T> {
    pub(crate) const fn new(items: Vec<T>, total: i64, slice: Slice) -> Self {
        Self {
            items,
            total,
            slice,
        }
    }

    /// Whether there are items behind these.
    pub fn has_more(&self) -> bool {
        let returned = i64::try_from(self.items.len()).unwrap_or(i64::MAX);
        self.slice.offset.saturating_add(returned) < self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_lowered_and_raised_to_what_is_published() {
        for (given, limit) in [(0, 1), (1, 1), (200, 200), (201, 200), (i64::MAX, 200)] {
            assert_eq!(Slice::new(given, -1).bounds(), (limit, 0));
        }
    }

    #[test]
    fn there_is_more_until_the_last_item() {
        let page = |offset, count: usize| Page::new(vec![(); count], 3, Slice::new(2, offset));
        assert!(page(0, 2).has_more());
        assert!(!page(2, 1).has_more());
        assert!(!page(i64::MAX, 0).has_more());
    }
}
