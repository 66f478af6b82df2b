use super::{HOSTILE_NAME, SECRET, Sample, sample, shell, when};
use crate::{
    Access, ApiKeys, DeletedKeyRow, Error, KeyCreated, KeyDelete, KeyDeletedReceipt, KeyRow,
    LastUse, NavItem, RestrictedForm, ScopeChoices, ScopeGrant,
};

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    let list = list();
    let first = key("key_1", "Payroll sync");
    let unused = KeyRow {
        last_used: None,
        ..key("key_9", HOSTILE_NAME)
    };
    Ok(vec![
        sample("api-keys", &list)?,
        sample(
            "api-keys-empty",
            &ApiKeys {
                keys: Vec::new(),
                recently_deleted: Vec::new(),
                ..list.clone()
            },
        )?,
        sample(
            "api-keys-form",
            &ApiKeys {
                form: refused_form(),
                ..list.clone()
            },
        )?,
        sample(
            "api-keys-receipt",
            &ApiKeys {
                receipt: Some(receipt()),
                ..list
            },
        )?,
        sample("key-created", &created(ScopeGrant::all()))?,
        sample(
            "key-created-restricted",
            &created(vec![grant("photos", false)]),
        )?,
        sample("key-delete", &delete(first.clone(), true, None))?,
        sample(
            "key-delete-refused",
            &delete(first, true, Some("The password is wrong.".to_owned())),
        )?,
        sample("key-delete-unused", &delete(unused, false, None))?,
    ])
}

fn list() -> ApiKeys {
    ApiKeys {
        shell: shell("API", NavItem::Api),
        csrf: "csrf-token".to_owned(),
        nonce: "nonce".to_owned(),
        keys: vec![
            key("key_1", "Payroll sync"),
            KeyRow {
                scopes: vec![grant("invites", true), grant("teams", false)],
                networks: vec!["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()],
                expires: Some(when("2027-02-22T00:00:00Z", "22 Feb 2027")),
                browser: true,
                ..key("key_2", "Onboarding portal")
            },
            KeyRow {
                last_used: None,
                ..key("key_3", HOSTILE_NAME)
            },
            KeyRow {
                scopes: vec![grant("photos", false)],
                expires: Some(when("2026-11-01T00:00:00Z", "1 Nov 2026")),
                expired: true,
                ..key("key_4", "Intranet gallery")
            },
        ],
        recently_deleted: vec![
            DeletedKeyRow {
                id: "key_0".to_owned(),
                name: "CI".to_owned(),
                hint: "hsp_Qr5T…m3Kd".to_owned(),
                deleted: when("2026-11-20T09:12:00Z", "20 Nov 2026"),
                deleted_by: "Maria Duarte".to_owned(),
                attempts: 14,
                addresses: 2,
                last_attempt: Some(when("2026-11-24T13:58:00Z", "1 hour ago")),
            },
            DeletedKeyRow {
                id: "key_00".to_owned(),
                name: "Trial".to_owned(),
                hint: "hsp_h7Ba…01Xy".to_owned(),
                deleted: when("2026-11-18T16:40:00Z", "18 Nov 2026"),
                deleted_by: "Jon Park".to_owned(),
                attempts: 0,
                addresses: 0,
                last_attempt: None,
            },
        ],
        docs_url: "/api/authentication".to_owned(),
        receipt: None,
        form: RestrictedForm::default(),
    }
}

fn key(id: &str, name: &str) -> KeyRow {
    KeyRow {
        id: id.to_owned(),
        name: name.to_owned(),
        hint: "hsp_AbCd…WxYz".to_owned(),
        scopes: ScopeGrant::all(),
        created: when("2026-10-02T08:30:00Z", "2 Oct 2026"),
        created_by: "Maria Duarte".to_owned(),
        last_used: Some(last_use()),
        expires: None,
        expired: false,
        networks: Vec::new(),
        browser: false,
    }
}

fn last_use() -> LastUse {
    LastUse {
        when: when("2026-11-24T14:01:00Z", "2 minutes ago"),
        address: "10.0.0.7".to_owned(),
        route: "GET /api/v2/organization".to_owned(),
    }
}

fn grant(scope: &str, write: bool) -> ScopeGrant {
    ScopeGrant {
        scope: scope.to_owned(),
        write,
    }
}

fn receipt() -> KeyDeletedReceipt {
    KeyDeletedReceipt {
        key_name: "Payroll sync".to_owned(),
        hint: "hsp_AbCd…WxYz".to_owned(),
        effective: when("2026-11-24T14:03:12.418Z", "14:03:12.418"),
        nodes_acknowledged: 3,
        leases_lapsed: 0,
        last_use: Some(last_use()),
    }
}

fn refused_form() -> RestrictedForm {
    RestrictedForm {
        open: true,
        name: String::new(),
        scopes: ScopeChoices {
            invites: Access::Write,
            photos: Access::Read,
            ..ScopeChoices::default()
        },
        expires_in: "date".to_owned(),
        expires_on: "2026-11-01".to_owned(),
        networks: "10.0.0.0/8\n10.0.0.300".to_owned(),
        name_error: Some("Give the key a name, so that others know what it is for.".to_owned()),
        scopes_error: None,
        expires_error: Some("This day has passed. Choose a later one.".to_owned()),
        networks_error: Some("Line 2 is not an address range: 10.0.0.300".to_owned()),
    }
}

fn created(scopes: Vec<ScopeGrant>) -> KeyCreated {
    KeyCreated {
        shell: shell("API", NavItem::Api),
        secret: SECRET.to_owned(),
        name: "API key of 24 Nov 2026".to_owned(),
        scopes,
        expires: None,
        base_url: "http://127.0.0.1:8080".to_owned(),
    }
}

fn delete(key: KeyRow, needs_password: bool, error: Option<String>) -> KeyDelete {
    KeyDelete {
        shell: shell("Delete API Key", NavItem::Api),
        csrf: "csrf-token".to_owned(),
        key,
        calls_24h: 1204,
        needs_password,
        error,
    }
}
