//! What a shoot costs, and when it is taken (contract: data-lifecycle.md).

use headshot_domain::{Credits, entropy};
use headshot_storage::credits::{self, Entry};
use headshot_storage::models::Model;
use headshot_storage::organizations::Organization;
use headshot_storage::{Error, WriteTx, tallies};

use crate::App;
use crate::audit::Actor;
use crate::mail;

/// Takes what the shoot of `model` costs; nothing for tests, for a retry, and where credits are not
/// counted.
///
/// `None` when there is no credit to take. Whoever holds back what it costs needs only that much to be
/// there: where the balance fell below what all hold back, those who come first get it. Anybody else
/// needs what no other holds back.
pub(crate) async fn take(
    app: &App,
    tx: &mut WriteTx,
    (org, model): (&Organization, &Model),
) -> Result<Option<Credits>, Error> {
    // It was paid before: an admin lets the person begin again.
    if model.submitted_at.is_some() {
        return Ok(Some(model.charged));
    }
    if org.credits_unlimited || model.development {
        return Ok(Some(Credits::ZERO));
    }
    let (balance, held) = tallies::lock_credits(tx, &org.id).await?;
    let cost = org.package.cost();
    let of_others = if model.reserved >= cost {
        0
    } else {
        held.hundredths() - model.reserved.hundredths()
    };
    if balance.hundredths() - of_others < cost.hundredths() {
        return Ok(None);
    }
    let entry = Entry {
        id: entry_id(app),
        amount: Credits::from_hundredths(-cost.hundredths()),
        kind: "shoot".into(),
        // No address: the ledger stays when the person is erased.
        description: format!("Shoot of model {}", model.id),
        actor: Actor::person(&model.user).label,
        created_at: app.clock.now(),
    };
    credits::insert(tx, &org.id, &entry).await?;
    let after = Credits::from_hundredths(balance.hundredths() - cost.hundredths());
    mail::low_credits(app, tx, org, (balance, after)).await?;
    Ok(Some(cost))
}

/// A new ledger entry's id.
pub(crate) fn entry_id(app: &App) -> String {
    let random = entropy::characters(&*app.entropy, b"0123456789abcdef", 24);
    format!("cr_{random}")
}
