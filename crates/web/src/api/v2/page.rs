//! What paged lists say about themselves, and lists that are sent whole.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use headshot_app::caller::Caller;
use headshot_app::page::Page;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Web;
use crate::api::{ApiError, json_text};
use crate::places::Place;

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

/// How large the parts of such a list are, about. Each is given back when it is sent.
const PART: usize = 64 * 1024;

/// A list that is sent whole, written item by item so that the rows need not be held.
pub(crate) struct Whole {
    done: VecDeque<Bytes>,
    /// Bytes in `done`.
    bytes: usize,
    part: Vec<u8>,
    items: usize,
    /// Held until the list is sent.
    place: Option<Place>,
}

impl Whole {
    /// The body of `{"success":true,"<name>":[...]`.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            done: VecDeque::new(),
            bytes: 0,
            part: format!(r#"{{"success":true,"{name}":["#).into_bytes(),
            items: 0,
            place: None,
        }
    }

    /// The same without a bound on its items. So many of these are there at a time: this waits for a
    /// place among them.
    pub(crate) async fn of_all(web: &Web, caller: &Caller, name: &str) -> Result<Self, ApiError> {
        let org = caller.org().as_str();
        let place = web.0.lists.take(org, web.0.limits.time_max).await;
        Ok(Self {
            place: Some(place.ok_or(ApiError::TimedOut)?),
            ..Self::named(name)
        })
    }

    pub(crate) fn push(&mut self, item: &impl Serialize) -> Result<(), ApiError> {
        if self.items > 0 {
            self.part.push(b',');
        }
        self.items += 1;
        let written = serde_json::to_writer(&mut self.part, item);
        written.map_err(|error| ApiError::Internal {
            cause: error.to_string(),
        })?;
        if self.part.len() >= PART {
            self.close_part();
        }
        if self.bytes + self.part.len() > WHOLE_MAX {
            let why = "The list is too long to be sent whole: use limit and offset";
            return Err(ApiError::InvalidRequest(why.to_owned()));
        }
        Ok(())
    }

    fn close_part(&mut self) {
        let part = std::mem::take(&mut self.part);
        self.bytes += part.len();
        self.done.push_back(part.into());
    }

    /// The answer, with `count` where the contract has it.
    pub(crate) fn end(mut self, with_count: bool) -> Response {
        self.part.push(b']');
        if with_count {
            let count = format!(r#","count":{}"#, self.items);
            self.part.extend_from_slice(count.as_bytes());
        }
        self.part.push(b'}');
        self.close_part();
        let parts = Parts {
            left: self.bytes as u64,
            unsent: self.done,
            _place: self.place,
        };
        json_text(Body::new(parts))
    }
}

/// A list on its way.
struct Parts {
    unsent: VecDeque<Bytes>,
    left: u64,
    _place: Option<Place>,
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let part = this.unsent.pop_front();
        this.left -= part.as_ref().map_or(0, Bytes::len) as u64;
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.unsent.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::tests::served;
    use http_body_util::BodyExt;
    use std::time::Duration;

    async fn text(list: Whole, with_count: bool) -> String {
        let answer = list.end(with_count);
        let length = answer.body().size_hint().exact();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(length, Some(bytes.len() as u64));
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn whole_lists_are_json() {
        let empty = text(Whole::named("invites"), false).await;
        assert_eq!(empty, r#"{"success":true,"invites":[]}"#);
        let mut list = Whole::named("members");
        list.push(&1).unwrap();
        list.push(&"a\"").unwrap();
        let expected = r#"{"success":true,"members":[1,"a\""],"count":2}"#;
        assert_eq!(text(list, true).await, expected);
    }

    #[tokio::test]
    async fn a_long_list_is_sent_in_parts_and_is_the_same() {
        let item = "x".repeat(1_000);
        let mut list = Whole::named("members");
        for _ in 0..1_000 {
            list.push(&item).unwrap();
        }
        assert!(list.done.len() > 10, "{} parts", list.done.len());
        assert!(list.done.iter().all(|part| part.len() < 2 * PART));
        let sent: serde_json::Value = serde_json::from_str(&text(list, true).await).unwrap();
        assert_eq!(sent["count"], 1_000);
        assert!(
            sent["members"]
                .as_array()
                .unwrap()
                .iter()
                .all(|one| *one == *item)
        );
    }

    #[test]
    fn a_list_beyond_64_mib_is_refused() {
        let item = "x".repeat(1024 * 1024);
        let mut list = Whole::named("m");
        for _ in 0..63 {
            list.push(&item).unwrap();
        }
        let around = ",\"\"".len();
        let left = WHOLE_MAX - list.bytes - list.part.len() - around;
        list.push(&"x".repeat(left)).unwrap();
        assert_eq!(list.bytes + list.part.len(), WHOLE_MAX);
        let refused = list.push(&1);
        assert!(matches!(refused, Err(ApiError::InvalidRequest(_))));
    }

    /// A place is held until the list is sent: a third one of the organization waits.
    #[tokio::test]
    async fn an_organization_has_two_lists_on_their_way() {
        let limits = Limits {
            time_max: Duration::from_millis(1),
            ..Limits::default()
        };
        let served = served(limits).await;
        let caller = served.caller().await;
        let list = || Whole::of_all(&served.web, &caller, "members");
        let first = list().await.ok().unwrap().end(true);
        let second = list().await.ok().unwrap();
        let refused = list().await.err();
        assert_eq!(refused, Some(ApiError::TimedOut));
        let sent = first.into_body().collect().await.unwrap();
        assert!(!sent.to_bytes().is_empty());
        assert!(list().await.is_ok(), "one is sent");
        drop(second);
    }
}
