//! Members: people of an organization who get headshots.

use headshot_domain::{MemberStage, OrgId};
use headshot_storage::members;
use headshot_storage::tallies::{self, Tally};
use headshot_storage::{Error, ReadConn};

use crate::App;
use crate::page::{Page, Slice};

pub use headshot_storage::members::Member;

/// A page of members, newest first.
pub async fn list(
    app: &App,
    org: &OrgId,
    stage: Option<MemberStage>,
    slice: Slice,
) -> Result<Page<Member>, Error> {
    let mut conn = app.db.read().await?;
    let items = members::list(&mut conn, org, stage, slice.bounds()).await?;
    let total = match stage {
        Some(stage) => tallies::get(&mut conn, org, Tally::Members(stage)).await?,
        None => tallies::members(&mut conn, org).await?,
    };
    Ok(Page::new(items, total, slice))
}

/// All members at a stage, newest first, some at a time.
#[derive(Debug)]
pub struct Walk {
    conn: ReadConn,
    org: OrgId,
    stage: MemberStage,
    last: Option<Member>,
}

impl Walk {
    /// From the newest one on.
    pub async fn start(app: &App, org: &OrgId, stage: MemberStage) -> Result<Self, Error> {
        Ok(Self {
            conn: app.db.read().await?,
            org: org.clone(),
            stage,
            last: None,
        })
    }

    /// The next ones; none at the end.
    pub async fn next(&mut self) -> Result<Vec<Member>, Error> {
        let last = self.last.as_ref();
        let items = members::after(
            &mut self.conn,
            &self.org,
            self.stage,
            last,
            crate::page::STEP,
        )
        .await?;
        self.last = items.last().cloned();
        Ok(items)
    }
}
