//! Organizations, teams, credits, people, memberships, sessions, links, failed sign-ins.

use headshot_domain::{Credits, OrgId, Package, Plan, Role, SessionId, TeamId, UserId};
use headshot_storage::organizations::Organization;
use headshot_storage::sessions::{self, LIST_MAX, Session};
use headshot_storage::sign_in::{self, Failures, LinkPurpose, OneTimeLink};
use headshot_storage::teams::{self, Team};
use headshot_storage::users::{self, Membership, User};
use headshot_storage::{Error, credits, organizations};
use rstest::rstest;

use crate::support::{
    Kind, at, email, grant, organization, raw, read, user, with_orgs, with_users, write,
};

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn organizations_come_back_as_they_were_stored(#[case] kind: Kind) {
    let database = kind.open().await;
    let odd = Organization {
        name: "O'Brien \"&\" Söhne 漢字 🦀 %_\\".into(),
        website: "https://example.com/?a='b'".into(),
        plan: Plan::Unlimited,
        package: Package::Lite,
        credits_unlimited: true,
        whitelabel: true,
        ..organization("org_b")
    };
    let mut tx = write(&database).await;
    organizations::insert(&mut tx, &odd).await.unwrap();
    organizations::insert(&mut tx, &organization("org_a"))
        .await
        .unwrap();
    let later = Organization {
        created_at: at(1),
        ..organization("org_0")
    };
    organizations::insert(&mut tx, &later).await.unwrap();
    tx.commit().await.unwrap();

    let mut conn = read(&database).await;
    assert_eq!(
        organizations::find(&mut conn, &odd.id).await.unwrap(),
        Some(odd)
    );
    assert_eq!(
        organizations::find(&mut conn, &OrgId::from("org_\0"))
            .await
            .unwrap(),
        None
    );
    let ids = |list: Vec<Organization>| -> Vec<String> {
        list.into_iter().map(|org| org.id.to_string()).collect()
    };
    let all = organizations::list(&mut conn, 10).await.unwrap();
    assert_eq!(ids(all), ["org_a", "org_b", "org_0"]);
    assert_eq!(
        ids(organizations::list(&mut conn, 2).await.unwrap()),
        ["org_a", "org_b"]
    );
    drop(conn);

    let mut tx = write(&database).await;
    let again = organizations::insert(&mut tx, &organization("org_a")).await;
    assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_value_that_was_never_written_is_named(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let mut tx = write(&database).await;
    raw(&mut tx, "UPDATE organizations SET plan = 'gold'")
        .await
        .unwrap();
    let found = organizations::find(&mut tx, &OrgId::from("org_1"))
        .await
        .unwrap_err();
    assert_eq!(
        found.to_string(),
        "organizations.plan holds a value that is not valid"
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn team_names_are_unique_in_their_organization_whatever_the_case(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1", "org_2"]).await;
    let (one, two) = (OrgId::from("org_1"), OrgId::from("org_2"));
    let team = |id: &str, name: &str| Team {
        id: TeamId::from(id),
        name: name.into(),
    };
    let mut tx = write(&database).await;
    teams::insert(&mut tx, &one, &team("team_2", "Verkäufer"), at(0))
        .await
        .unwrap();
    teams::insert(&mut tx, &one, &team("team_1", "Ops"), at(0))
        .await
        .unwrap();
    teams::insert(&mut tx, &two, &team("team_3", "ops"), at(0))
        .await
        .unwrap();
    let again = teams::insert(&mut tx, &one, &team("team_4", " VERKÄUFER "), at(1)).await;
    assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
    // The conflict left the transaction usable.
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    let expected = vec![team("team_1", "Ops"), team("team_2", "Verkäufer")];
    assert_eq!(teams::list(&mut conn, &one).await.unwrap(), expected);
    assert_eq!(
        teams::list(&mut conn, &OrgId::from("org_3")).await.unwrap(),
        []
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn the_balance_is_the_sum_of_the_movements(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1", "org_2"]).await;
    let org = OrgId::from("org_1");
    let mut tx = write(&database).await;
    assert_eq!(
        credits::balance(&mut tx, &org).await.unwrap(),
        Credits::whole(0)
    );
    grant(&mut tx, "org_1", "a", 500_000_000_000).await.unwrap();
    grant(&mut tx, "org_1", "c", -50).await.unwrap();
    grant(&mut tx, "org_1", "b", 7).await.unwrap();
    grant(&mut tx, "org_2", "d", 9).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = read(&database).await;
    let balance = credits::balance(&mut conn, &org).await.unwrap();
    assert_eq!(balance.hundredths(), 499_999_999_957);
    // Same time: the greater id is the newer one.
    let newest = credits::list(&mut conn, &org, 2).await.unwrap();
    let amounts: Vec<i64> = newest
        .iter()
        .map(|entry| entry.amount.hundredths())
        .collect();
    assert_eq!(amounts, [-50, 7]);
    assert_eq!(
        (newest[0].kind.as_str(), newest[0].created_at),
        ("grant", at(0))
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn people_are_found_by_address_whatever_its_case(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    let anna = User {
        name: Some("Änna \"A\"".into()),
        ..user("anna")
    };
    users::insert(&mut tx, &anna, &email("anna"), at(0))
        .await
        .unwrap();
    let again = users::insert(
        &mut tx,
        &user("other"),
        &"ANNA@example.com".parse().unwrap(),
        at(1),
    )
    .await;
    assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
    users::insert(&mut tx, &user("ben"), &email("ben"), at(0))
        .await
        .unwrap();
    users::set_password(&mut tx, &UserId::from("ben"), "$argon2id$…")
        .await
        .unwrap();
    users::set_name(&mut tx, &UserId::from("ben"), "Ben")
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut conn = read(&database).await;
    let found = users::find_by_email(&mut conn, &"Anna@Example.COM".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(found, Some(anna));
    assert_eq!(
        users::find_by_email(&mut conn, &email("carla"))
            .await
            .unwrap(),
        None
    );
    let ben = users::find(&mut conn, &UserId::from("ben"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ben.password_hash.as_deref(), Some("$argon2id$…"));
    assert_eq!(ben.name.as_deref(), Some("Ben"));
    assert_eq!(
        users::find(&mut conn, &UserId::from("other"))
            .await
            .unwrap(),
        None
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn memberships_hold_the_first_role_given(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_b", "org_a"]).await;
    with_users(&database, &["1", "2"]).await;
    let (one, two) = (UserId::from("1"), UserId::from("2"));
    let (a, b) = (OrgId::from("org_a"), OrgId::from("org_b"));
    let team = Team {
        id: TeamId::from("team_1"),
        name: "Ops".into(),
    };
    let mut tx = write(&database).await;
    teams::insert(&mut tx, &a, &team, at(0)).await.unwrap();
    users::insert_membership(&mut tx, &b, &one, (Role::Owner, None), at(5))
        .await
        .unwrap();
    users::insert_membership(&mut tx, &a, &one, (Role::Admin, Some(&team.id)), at(5))
        .await
        .unwrap();
    users::insert_membership(&mut tx, &a, &one, (Role::Owner, None), at(6))
        .await
        .unwrap();
    users::insert_membership(&mut tx, &b, &two, (Role::Owner, None), at(7))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut conn = read(&database).await;
    let in_a = Membership {
        org: a.clone(),
        role: Role::Admin,
    };
    let in_b = Membership {
        org: b.clone(),
        role: Role::Owner,
    };
    let all = users::memberships(&mut conn, &one).await.unwrap();
    assert_eq!(all, [in_a.clone(), in_b]);
    assert_eq!(
        users::find_membership(&mut conn, &one, &a).await.unwrap(),
        Some(in_a)
    );
    assert_eq!(
        users::find_membership(&mut conn, &two, &a).await.unwrap(),
        None
    );
    assert_eq!(users::count_members(&mut conn, &b).await.unwrap(), 2);
    assert_eq!(users::owner_email(&mut conn, &a).await.unwrap(), None);
    let owner = users::owner_email(&mut conn, &b).await.unwrap();
    assert_eq!(owner.as_deref(), Some("1@example.com"));
    let of_one = organizations::list_of_user(&mut conn, &one, 10)
        .await
        .unwrap();
    let names: Vec<_> = of_one.iter().map(|org| org.name.as_str()).collect();
    assert_eq!(names, ["Organization org_a", "Organization org_b"]);
    assert_eq!(
        organizations::list_of_user(&mut conn, &one, 1)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_row_that_points_nowhere_is_refused(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    let mut tx = write(&database).await;
    let org = OrgId::from("org_1");
    let nobody = UserId::from("nobody");
    let stored = users::insert_membership(&mut tx, &org, &nobody, (Role::Owner, None), at(0)).await;
    assert!(matches!(stored, Err(Error::Driver { .. })), "{stored:?}");
}

fn session(id: &str, user: &str, seen: i64) -> Session {
    Session {
        id: SessionId::from(id),
        user: UserId::from(user),
        org: OrgId::from("org_1"),
        created_at: at(0),
        last_seen_at: at(seen),
        authenticated_at: at(0),
        expires_at: at(1_000),
        address: "2001:db8::1".into(),
        user_agent: "Mozilla/5.0 (\"'%_漢)".into(),
    }
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn sessions_are_found_by_token_and_change(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1", "org_2"]).await;
    with_users(&database, &["1"]).await;
    let stored = session("ses_1", "1", 0);
    let hash = [0u8, 255, 39, 0];
    let mut tx = write(&database).await;
    sessions::insert(&mut tx, &stored, &hash).await.unwrap();
    assert_eq!(
        sessions::find(&mut tx, &hash).await.unwrap().as_ref(),
        Some(&stored)
    );
    assert_eq!(sessions::find(&mut tx, &[0, 255, 39]).await.unwrap(), None);
    sessions::touch(&mut tx, &stored.id, at(7)).await.unwrap();
    sessions::authenticated(&mut tx, &stored.id, at(8))
        .await
        .unwrap();
    sessions::switch(&mut tx, &stored.id, &OrgId::from("org_2"))
        .await
        .unwrap();
    let changed = Session {
        last_seen_at: at(7),
        authenticated_at: at(8),
        org: OrgId::from("org_2"),
        ..stored.clone()
    };
    assert_eq!(sessions::find(&mut tx, &hash).await.unwrap(), Some(changed));
    let again = sessions::insert(&mut tx, &session("ses_2", "1", 0), &hash).await;
    assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn sessions_end_one_by_one_and_together(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    with_users(&database, &["1", "2"]).await;
    let one = UserId::from("1");
    let mut tx = write(&database).await;
    for (id, user, seen) in [
        ("b", "1", 50),
        ("a", "1", 50),
        ("c", "1", 60),
        ("d", "1", 10),
        ("e", "2", 50),
    ] {
        sessions::insert(&mut tx, &session(id, user, seen), id.as_bytes())
            .await
            .unwrap();
    }
    let ids = |list: Vec<Session>| -> Vec<String> {
        list.into_iter()
            .map(|session| session.id.to_string())
            .collect()
    };
    // Not those that expire now, nor those last seen at the limit.
    let list = sessions::list(&mut tx, &one, (at(999), at(10)))
        .await
        .unwrap();
    assert_eq!(ids(list), ["c", "a", "b"]);
    assert_eq!(
        sessions::list(&mut tx, &one, (at(1_000), at(10)))
            .await
            .unwrap(),
        []
    );

    assert!(
        !sessions::delete(&mut tx, &SessionId::from("e"), &one)
            .await
            .unwrap()
    );
    assert!(
        sessions::delete(&mut tx, &SessionId::from("c"), &one)
            .await
            .unwrap()
    );
    assert!(
        !sessions::delete(&mut tx, &SessionId::from("c"), &one)
            .await
            .unwrap()
    );
    assert_eq!(
        sessions::delete_ended(&mut tx, at(999), at(10))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        sessions::delete_others(&mut tx, &one, &SessionId::from("a"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        ids(sessions::list(&mut tx, &one, (at(0), at(0))).await.unwrap()),
        ["a"]
    );
    assert_eq!(
        sessions::delete_ended(&mut tx, at(1_000), at(0))
            .await
            .unwrap(),
        2
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_list_of_sessions_is_bounded(#[case] kind: Kind) {
    let database = kind.open().await;
    with_orgs(&database, &["org_1"]).await;
    with_users(&database, &["1"]).await;
    let mut tx = write(&database).await;
    for number in 0..=LIST_MAX {
        let id = format!("ses_{number}");
        sessions::insert(&mut tx, &session(&id, "1", number + 1), id.as_bytes())
            .await
            .unwrap();
    }
    let list = sessions::list(&mut tx, &UserId::from("1"), (at(0), at(0)))
        .await
        .unwrap();
    assert_eq!(list.len(), 100);
    assert_eq!(list[0].id.as_str(), "ses_100");
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn a_link_works_once_and_until_it_expires(#[case] kind: Kind) {
    let database = kind.open().await;
    with_users(&database, &["1", "2"]).await;
    let link = |user: &str, purpose| OneTimeLink {
        user: UserId::from(user),
        purpose,
        expires_at: at(100),
    };
    let setup = link("1", LinkPurpose::Setup);
    let mut tx = write(&database).await;
    sign_in::insert_link(&mut tx, &setup, b"a", at(0))
        .await
        .unwrap();
    for (hash, user, purpose) in [
        (b"b", "1", LinkPurpose::Reset),
        (b"c", "1", LinkPurpose::SignIn),
        (b"d", "2", LinkPurpose::SignIn),
    ] {
        let link = link(user, purpose);
        sign_in::insert_link(&mut tx, &link, hash, at(0))
            .await
            .unwrap();
        assert_eq!(
            sign_in::find_link(&mut tx, hash, at(0)).await.unwrap(),
            Some(link)
        );
    }
    assert_eq!(
        sign_in::find_link(&mut tx, b"a", at(99)).await.unwrap(),
        Some(setup)
    );
    assert_eq!(
        sign_in::find_link(&mut tx, b"a", at(100)).await.unwrap(),
        None
    );
    assert!(sign_in::delete_link(&mut tx, b"a").await.unwrap());
    assert!(!sign_in::delete_link(&mut tx, b"a").await.unwrap());
    sign_in::delete_links_of_user(&mut tx, &UserId::from("1"))
        .await
        .unwrap();
    assert_eq!(
        sign_in::find_link(&mut tx, b"b", at(0)).await.unwrap(),
        None
    );
    assert_eq!(
        sign_in::delete_expired_links(&mut tx, at(99))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        sign_in::delete_expired_links(&mut tx, at(100))
            .await
            .unwrap(),
        1
    );
}

#[rstest]
#[case::sqlite(Kind::Sqlite)]
#[case::postgres(Kind::Postgres)]
#[tokio::test]
async fn failures_are_counted_in_windows(#[case] kind: Kind) {
    let database = kind.open().await;
    let mut tx = write(&database).await;
    let counted = |since, count| Failures {
        since: at(since),
        count,
    };
    let first = sign_in::count_failure(&mut tx, "account:1", at(100), at(0))
        .await
        .unwrap();
    assert_eq!(first, counted(100, 1));
    let second = sign_in::count_failure(&mut tx, "account:1", at(150), at(99))
        .await
        .unwrap();
    assert_eq!(second, counted(100, 2));
    let other = sign_in::count_failure(&mut tx, "account:2", at(150), at(99))
        .await
        .unwrap();
    assert_eq!(other, counted(150, 1));
    let found = sign_in::find_failures(&mut tx, "account:1", at(99))
        .await
        .unwrap();
    assert_eq!(found, Some(counted(100, 2)));
    assert_eq!(
        sign_in::find_failures(&mut tx, "account:1", at(100))
            .await
            .unwrap(),
        None
    );
    // A try that succeeded takes its count back, never below zero, and of nobody else.
    for left in [1, 0, 0] {
        sign_in::give_back_try(&mut tx, "account:1").await.unwrap();
        let found = sign_in::find_failures(&mut tx, "account:1", at(99))
            .await
            .unwrap();
        assert_eq!(found, Some(counted(100, left)));
    }
    let found = sign_in::find_failures(&mut tx, "account:2", at(99))
        .await
        .unwrap();
    assert_eq!(found, Some(counted(150, 1)));
    // The window that began at the limit starts anew.
    let anew = sign_in::count_failure(&mut tx, "account:1", at(200), at(100))
        .await
        .unwrap();
    assert_eq!(anew, counted(200, 1));
    sign_in::clear_failures(&mut tx, "account:1").await.unwrap();
    assert_eq!(
        sign_in::find_failures(&mut tx, "account:1", at(0))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        sign_in::delete_old_failures(&mut tx, at(149))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        sign_in::delete_old_failures(&mut tx, at(150))
            .await
            .unwrap(),
        1
    );
}
