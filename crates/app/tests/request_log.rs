//! The writer of the API log: nothing is stored twice, and no row holds up the others.

use std::sync::Arc;

use headshot_app::App;
use headshot_app::request_log::{self, Row};
use headshot_domain::{OrgId, RequestId};
use headshot_storage::api_requests::{Filter, Gap, KeyState, Request};
use headshot_testkit::{ManualClock, TestDb};
use rstest::rstest;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    async fn open(self) -> (TestDb, Arc<App>) {
        let database = match self {
            Self::Sqlite => headshot_testkit::sqlite().await,
            Self::Postgres => headshot_testkit::postgres().await,
        };
        let app = headshot_testkit::app(&database.db, &ManualClock::new());
        (database, app)
    }
}

fn request(app: &App, random: u64, path: &str) -> Request {
    let at = app.clock.now();
    Request {
        org: "org_1".into(),
        id: RequestId::new(at, random),
        at,
        key: None,
        key_state: KeyState::Missing,
        fingerprint: None,
        method: "GET".into(),
        route: String::new().into(),
        path: path.into(),
        status: 401,
        code: None,
        refused_by: None,
        duration_us: 1,
        request_bytes: 0,
        response_bytes: 0,
        address: [10, 0, 0, 1].into(),
        user_agent: String::new(),
        browser: false,
    }
}

/// The paths of the log, newest first, and the gaps.
async fn logged(app: &App) -> (Vec<String>, Vec<Gap>) {
    let org = OrgId::from("org_1");
    let page = request_log::page(app, &org, &Filter::default()).await;
    let (mut paths, mut gaps) = (Vec::new(), Vec::new());
    for row in page.into_iter().flat_map(|page| page.rows) {
        match row {
            Row::Request(request) => paths.push(request.path),
            Row::Gap(gap) => gaps.push(gap),
        }
    }
    (paths, gaps)
}

async fn counted(app: &App) -> i64 {
    let usage = request_log::usage(app, &OrgId::from("org_1"), None, 1).await;
    usage.map_or(-1, |usage| usage.refused)
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_batch_that_is_written_again_counts_once(#[case] kind: Kind) {
    let (_database, app) = kind.open().await;
    for _ in 0..2 {
        for random in 0..3 {
            app.recorder.record(request(&app, random, "/same"));
        }
        request_log::drain(&app).await;
    }
    let (paths, gaps) = logged(&app).await;
    assert_eq!((paths.len(), gaps.len()), (3, 0));
    assert_eq!(counted(&app).await, 3);
}

/// PostgreSQL refuses NUL in text. No request holds one; a database has other reasons, too.
#[tokio::test]
async fn a_refused_row_is_lost_alone() {
    let (_database, app) = Kind::Postgres.open().await;
    for (random, path) in (0..).zip(["/1", "/2", "/\0", "/4", "/5"]) {
        app.recorder.record(request(&app, random, path));
    }
    request_log::drain(&app).await;
    let (paths, gaps) = logged(&app).await;
    assert_eq!(paths, ["/5", "/4", "/2", "/1"]);
    assert_eq!(gaps.iter().map(|gap| gap.lost).collect::<Vec<_>>(), [1]);
    assert_eq!((app.recorder.written(), app.recorder.lost()), (4, 0));
    assert_eq!(counted(&app).await, 4);
}
