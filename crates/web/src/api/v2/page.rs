//! What paged lists say about themselves, and lists that are sent whole.

use headshot_app::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::ApiError;

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pagination {
    /// How many items there are in all.
    #[schema(example = 150, minimum = 0)]
    total: i64,
    /// How many were asked for at most.
    #[schema(example = 25, minimum = 1, maximum = 200)]
    limit: i64,
    /// How many items are before these.
    #[schema(example = 0, minimum = 0)]
    offset: i64,
    /// Whether there are items after these.
    #[schema(example = true)]
    has_more: bool,
}

impl<T> From<&Page<T>> for Pagination {
    fn from(page: &Page<T>) -> Self {
        Self {
            total: page.total,
            limit: page.slice.limit(),
            offset: page.slice.offset(),
            has_more: page.has_more(),
        }
    }
}

/// The largest list that is sent whole, in bytes.
const WHOLE_MAX: usize = 64 * 1024 * 1024;

/// A list that is sent whole, written item by item so that the rows need not be held.
pub(crate) struct Whole {
    body: Vec<u8>,
    items: usize,
}

impl Whole {
    /// The body of `{"success":true,"<name>":[...]`.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            body: format!(r#"{{"success":true,"{name}":["#).into_bytes(),
            items: 0,
        }
    }

    pub(crate) fn push(&mut self, item: &impl Serialize) -> Result<(), ApiError> {
        if self.items > 0 {
            self.body.push(b',');
        }
        self.items += 1;
        let written = serde_json::to_writer(&mut self.body, item);
        written.map_err(|error| ApiError::Internal {
            cause: error.to_string(),
        })?;
        if self.body.len() > WHOLE_MAX {
            let why = "The list is too long to be sent whole: use limit and offset";
            return Err(ApiError::InvalidRequest(why.to_owned()));
        }
        Ok(())
    }

    /// The whole body, with `count` where the contract has it.
    pub(crate) fn end(mut self, with_count: bool) -> Vec<u8> {
        self.body.push(b']');
        if with_count {
            let count = format!(r#","count":{}"#, self.items);
            self.body.extend_from_slice(count.as_bytes());
        }
        self.body.push(b'}');
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lists_are_json() {
        let mut list = Whole::named("members");
        assert_eq!(
            Whole::named("invites").end(false),
            br#"{"success":true,"invites":[]}"#
        );
        list.push(&1).unwrap();
        list.push(&"a\"").unwrap();
        assert_eq!(
            String::from_utf8(list.end(true)).unwrap(),
            r#"{"success":true,"members":[1,"a\""],"count":2}"#
        );
    }
}
