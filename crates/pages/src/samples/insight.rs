use super::{HOSTILE_NAME, Sample, org, sample, shell, when};
use crate::{
    Audit, AuditRow, ChainState, ChainStatus, ChecklistItem, Choice, Error, GapRow, Hour, KeyState,
    LogDetail, LogEntry, LogFilters, LogRow, Logs, MemberAccount, NavItem, Notice,
    OrganizationFacts, Overview, Requests, Security, SessionRow, Settings, Shell,
};

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    let busy = logs();
    Ok(vec![
        sample("overview", &overview())?,
        sample("overview-new", &overview_new())?,
        sample("logs", &busy)?,
        sample("logs-empty", &empty_logs(LogFilters::default()))?,
        sample(
            "logs-nothing",
            &empty_logs(LogFilters {
                status: "5xx".to_owned(),
                address: "10.0.0.300".to_owned(),
                error: Some("10.0.0.300 is neither an address nor a network.".to_owned()),
                ..LogFilters::default()
            }),
        )?,
        sample("log-detail-refused", &detail(refused()))?,
        sample("log-detail-deleted-key", &detail(deleted_key()))?,
        sample(
            "log-detail",
            &LogDetail {
                fix: None,
                ..detail(accepted())
            },
        )?,
        sample(
            "audit",
            &audit(
                ChainState::Intact,
                "The chain was checked 3 minutes ago: all 4,118 entries match.",
            ),
        )?,
        sample(
            "audit-broken",
            &audit(
                ChainState::Broken,
                "Entry 4,115 does not match the entry before it. Someone changed the database. Run headshot audit verify.",
            ),
        )?,
        sample(
            "audit-empty",
            &Audit {
                rows: Vec::new(),
                ..audit(
                    ChainState::Unchecked,
                    "The chain has not been checked since the server started.",
                )
            },
        )?,
        sample("settings", &settings())?,
        sample("member-account", &member_account())?,
        sample(
            "settings-refused",
            &Settings {
                security: refused_password(),
                shell: Shell {
                    notice: Some(Notice::bad("The password was not changed.")),
                    ..settings().shell
                },
            },
        )?,
    ])
}

fn overview() -> Overview {
    let counts = [
        12, 8, 4, 3, 2, 2, 5, 18, 41, 77, 92, 88, 64, 71, 95, 103, 84, 60, 33, 21, 15, 9, 11, 6,
    ];
    let by_hour = (0..).zip(counts).map(|(at, total): (u32, u32)| Hour {
        label: format!("{:02}:00", (at + 15) % 24),
        total,
        refused: if at == 14 { 22 } else { total / 30 },
    });
    Overview {
        shell: shell("Overview", NavItem::Overview),
        organization: OrganizationFacts {
            uid: "org_acme4f9b2c71".to_owned(),
            name: "Acme Corporation".to_owned(),
            website: "https://acme.example".to_owned(),
            plan: "Standard".to_owned(),
            rate_limit: "300 requests a minute".to_owned(),
        },
        credits: "100".to_owned(),
        keys_in_use: 3,
        requests_24h: Requests {
            total: 924,
            refused: 40,
            by_hour: by_hour.collect(),
        },
        teams: vec![
            "Marketing".to_owned(),
            "Engineering".to_owned(),
            "הנדסה".to_owned(),
        ],
        members: 42,
        audit: audit_rows(),
        checklist: vec![
            step("Set your password", "", true),
            step("Generate an API key", "", true),
            step("Make the first call", "", true),
        ],
    }
}

fn overview_new() -> Overview {
    Overview {
        shell: Shell {
            orgs: vec![org("org_1", "Acme Corporation", true)],
            notice: Some(Notice::good("Your password is set. You are signed in.")),
            ..shell("Overview", NavItem::Overview)
        },
        credits: "Unlimited".to_owned(),
        keys_in_use: 0,
        requests_24h: Requests {
            total: 0,
            refused: 0,
            by_hour: Vec::new(),
        },
        teams: Vec::new(),
        members: 1,
        audit: Vec::new(),
        checklist: vec![
            step("Set your password", "", true),
            step(
                "Generate an API key",
                "A program needs it to call the API.",
                false,
            ),
            step(
                "Make the first call",
                "Copy a sample and run it as it is.",
                false,
            ),
        ],
        ..overview()
    }
}

fn step(label: &str, detail: &str, done: bool) -> ChecklistItem {
    ChecklistItem {
        label: label.to_owned(),
        detail: detail.to_owned(),
        href: "/app/admin/api".to_owned(),
        done,
    }
}

fn accepted() -> LogRow {
    LogRow {
        url: "/app/admin/api/logs/01JD9X3K7Q?status=4xx".to_owned(),
        when: when("2026-11-24T14:01:00.120Z", "24 Nov, 14:01:00"),
        method: "GET".to_owned(),
        path: "/api/v2/organization".to_owned(),
        status: 200,
        code: None,
        key_label: "Payroll sync".to_owned(),
        key_state: KeyState::Live,
        address: "10.0.0.7".to_owned(),
        duration: "0.4 ms".to_owned(),
        browser: false,
        refused_because: None,
    }
}

fn refused() -> LogRow {
    LogRow {
        url: "/app/admin/api/logs/01JD9X3K7R?status=4xx".to_owned(),
        status: 403,
        path: "/api/v2/organization/models".to_owned(),
        code: Some("FORBIDDEN".to_owned()),
        key_label: "Onboarding portal".to_owned(),
        browser: true,
        refused_because: Some("The key does not hold the scope models.".to_owned()),
        ..accepted()
    }
}

fn deleted_key() -> LogRow {
    LogRow {
        url: "/app/admin/api/logs/01JD9X3K7S?status=4xx".to_owned(),
        status: 401,
        code: Some("UNAUTHORIZED".to_owned()),
        key_label: "CI".to_owned(),
        key_state: KeyState::Deleted {
            when: when("2026-05-03T09:12:00Z", "3 May 2026"),
            attempts: 14,
            addresses: 2,
        },
        address: "2001:db8:4c10:9f3e::7a1".to_owned(),
        refused_because: Some("The key was deleted on 3 May 2026.".to_owned()),
        ..accepted()
    }
}

fn logs() -> Logs {
    let entry = LogEntry::Request;
    Logs {
        shell: shell("Logs", NavItem::Logs),
        filters: LogFilters {
            from: "2026-11-24T00:00".to_owned(),
            ..LogFilters::default()
        },
        key_choices: vec![
            Choice::new("key_1", "Payroll sync"),
            Choice::new("key_0", "CI (deleted)"),
        ],
        rows: vec![
            entry(accepted()),
            entry(refused()),
            entry(deleted_key()),
            LogEntry::Gap(GapRow {
                from: when("2026-11-24T13:20:11Z", "13:20:11"),
                to: when("2026-11-24T13:20:12Z", "13:20:12"),
                text: "the server was killed, up to one second of requests may be missing."
                    .to_owned(),
            }),
            entry(LogRow {
                status: 429,
                code: Some("RATE_LIMIT_EXCEEDED".to_owned()),
                refused_because: Some("More than 300 requests in this minute.".to_owned()),
                ..accepted()
            }),
            entry(LogRow {
                status: 401,
                method: "POST".to_owned(),
                path: format!(
                    "/api/v2/{HOSTILE_NAME}/a-rather-long-path-that-has-no-place-to-break"
                ),
                code: Some("UNAUTHORIZED".to_owned()),
                key_label: "fp:9c1f04ab".to_owned(),
                key_state: KeyState::Unknown,
                refused_because: Some("No key of this server matches.".to_owned()),
                ..accepted()
            }),
            entry(LogRow {
                status: 401,
                key_label: String::new(),
                key_state: KeyState::None,
                code: Some("UNAUTHORIZED".to_owned()),
                refused_because: Some("The Authorization header is missing.".to_owned()),
                ..accepted()
            }),
            entry(LogRow {
                status: 401,
                key_label: "Intranet gallery".to_owned(),
                key_state: KeyState::Expired,
                code: Some("UNAUTHORIZED".to_owned()),
                refused_because: Some("The key expired on 1 Nov 2026.".to_owned()),
                ..accepted()
            }),
            entry(LogRow {
                status: 500,
                code: Some("INTERNAL_ERROR".to_owned()),
                ..accepted()
            }),
        ],
        older_url: Some("/app/admin/api/logs?from=2026-11-24T00:00&before=01JD9X".to_owned()),
        newer_url: Some("/app/admin/api/logs?from=2026-11-24T00:00&after=01JD9Y".to_owned()),
        deleted_key_findings: vec![
            "Key \"CI\", deleted on 3 May, was tried 14 times since from 2 addresses.".to_owned(),
        ],
        retention_days: 90,
    }
}

fn empty_logs(filters: LogFilters) -> Logs {
    Logs {
        filters,
        rows: Vec::new(),
        older_url: None,
        newer_url: None,
        deleted_key_findings: Vec::new(),
        ..logs()
    }
}

fn detail(row: LogRow) -> LogDetail {
    LogDetail {
        shell: shell("Request", NavItem::Logs),
        row,
        user_agent: "python-requests/2.32.3".to_owned(),
        bytes: "214 B".to_owned(),
        route: "/api/v2/organization".to_owned(),
        request_id: "req_01JD9X3K7Q4F".to_owned(),
        fix: Some("Use a key that holds the scope models, or generate one with it.".to_owned()),
        back_url: "/app/admin/api/logs?status=4xx".to_owned(),
    }
}

fn audit_rows() -> Vec<AuditRow> {
    let row = |seq, human: &str, actor: &str, action: &str, target: &str| AuditRow {
        seq,
        when: when("2026-11-24T14:03:12Z", human),
        actor: actor.to_owned(),
        action: action.to_owned(),
        target: target.to_owned(),
        address: "10.0.0.7".to_owned(),
        hash: "9f2ce01b".to_owned(),
    };
    vec![
        row(
            4118,
            "24 Nov, 14:03:12",
            "Maria Duarte",
            "deleted the API key",
            "Payroll sync",
        ),
        row(4117, "24 Nov, 13:40:02", "Maria Duarte", "signed in", ""),
        row(
            4116,
            "23 Nov, 09:00:00",
            HOSTILE_NAME,
            "generated the API key",
            "Onboarding portal",
        ),
        row(
            4115,
            "22 Nov, 18:22:45",
            "Jon Park",
            "signed out 3 other sessions",
            "",
        ),
    ]
}

fn audit(state: ChainState, text: &str) -> Audit {
    Audit {
        shell: shell("Audit", NavItem::Audit),
        rows: audit_rows(),
        older_url: Some("/app/admin/audit?before=4115".to_owned()),
        newer_url: None,
        chain: ChainStatus {
            state,
            text: text.to_owned(),
        },
    }
}

fn member_account() -> MemberAccount {
    MemberAccount {
        csrf: "csrf-token".to_owned(),
        user_email: "amara@acme.example".to_owned(),
        notice: Some(Notice::good("Your password is changed.")),
        security: Security {
            base: "/team-member/account",
            ..security()
        },
    }
}

fn refused_password() -> Security {
    Security {
        sessions: security().sessions.into_iter().take(1).collect(),
        current_password_error: Some("This is not your current password.".to_owned()),
        new_password_error: Some("Use at least 8 characters.".to_owned()),
        ..security()
    }
}

fn security() -> Security {
    let session = |id: &str, device: &str, seen: &str| SessionRow {
        id: id.to_owned(),
        current: id == "s1",
        device: device.to_owned(),
        address: "10.0.0.7".to_owned(),
        created: when("2026-11-20T08:00:00Z", "20 Nov 2026"),
        last_seen: when("2026-11-24T14:03:00Z", seen),
    };
    Security {
        base: "/app/admin/settings",
        sessions: vec![
            session("s1", "Firefox on macOS", "now"),
            session("s2", "Safari on iPhone", "2 hours ago"),
            session("s3", "Chrome on Windows", "3 days ago"),
            session("s4", "Unknown browser", "8 days ago"),
        ],
        current_password_error: None,
        new_password_error: None,
    }
}

fn settings() -> Settings {
    Settings {
        shell: shell("Settings", NavItem::Settings),
        security: security(),
    }
}
