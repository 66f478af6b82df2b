//! Keys as the pages show them.

use headshot_app::audit::Actor;
use headshot_app::verification::Receipt;
use headshot_domain::{Access, Networks, Scope, ScopeSet, Timestamp};
use headshot_pages::{DeletedKeyRow, KeyDeletedReceipt, KeyRow, LastUse, ScopeGrant};
use headshot_storage::api_keys::{self, ApiKey};
use headshot_storage::api_requests::DeadKeyUse;

use crate::words;

pub(crate) fn grants(scopes: ScopeSet) -> Vec<ScopeGrant> {
    let grant = |scope: Scope| {
        let access = scopes.access(scope)?;
        Some(ScopeGrant {
            scope: scope.name().to_owned(),
            write: access == Access::Write,
        })
    };
    Scope::ALL.into_iter().filter_map(grant).collect()
}

fn network_list(networks: &Networks) -> Vec<String> {
    let text = networks.to_string();
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn last_use(last: &api_keys::LastUse, now: Timestamp) -> LastUse {
    LastUse {
        when: words::ago(last.at, now),
        address: last.address.clone().unwrap_or_default(),
        route: last.call.clone().unwrap_or_default(),
    }
}

pub(crate) fn key_row(key: &ApiKey, now: Timestamp) -> KeyRow {
    KeyRow {
        id: key.id.to_string(),
        name: key.name.clone(),
        hint: key.hint.to_string(),
        scopes: grants(key.scopes),
        created: words::ago(key.created_at, now),
        created_by: Actor::display(&key.created_by).to_owned(),
        last_used: key.last_use.as_ref().map(|last| last_use(last, now)),
        expires: key.expires_at.map(words::moment),
        expired: key.expires_at.is_some_and(|at| at <= now),
        networks: network_list(&key.networks),
        browser: key.browser_used_at.is_some(),
    }
}

pub(crate) fn deleted_row(
    (key, tried): &(ApiKey, Option<DeadKeyUse>),
    now: Timestamp,
) -> DeletedKeyRow {
    DeletedKeyRow {
        id: key.id.to_string(),
        name: key.name.clone(),
        hint: key.hint.to_string(),
        deleted: words::ago(key.deleted_at.unwrap_or(now), now),
        deleted_by: key
            .deleted_by
            .as_deref()
            .map(|by| Actor::display(by).to_owned())
            .unwrap_or_default(),
        attempts: tried.map_or(0, |tried| tried.attempts),
        addresses: tried.map_or(0, |tried| tried.addresses),
        last_attempt: tried.map(|tried| words::ago(tried.last_at, now)),
    }
}

pub(crate) fn receipt(key: &ApiKey, receipt: &Receipt, now: Timestamp) -> KeyDeletedReceipt {
    let count = |nodes: &[String]| i64::try_from(nodes.len()).unwrap_or(i64::MAX);
    KeyDeletedReceipt {
        key_name: key.name.clone(),
        hint: key.hint.to_string(),
        effective: words::clock_time(receipt.effective_at),
        nodes_acknowledged: count(&receipt.acknowledged),
        leases_lapsed: count(&receipt.lapsed),
        last_use: key.last_use.as_ref().map(|last| last_use(last, now)),
    }
}
