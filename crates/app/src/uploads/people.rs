//! Whether a session's photos show one person.
//!
//! A face in numbers is personal data of the most protected kind. None is kept: every comparison
//! describes the faces anew, from the photos, and what is stored is the verdict.

use headshot_domain::{ModelId, ModelStatus, OrgId, UploadId};
use headshot_imaging::analysis::identity;
use headshot_imaging::{Descriptor, Identity, Verdict};
use headshot_storage::{Error, models, uploads};

use super::{read, words};
use crate::App;
use crate::objects::{upload_key, whole};
use crate::studio::StudioError;

/// Why photos were not compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    #[error(transparent)]
    Studio(#[from] StudioError),
    #[error(transparent)]
    Objects(#[from] headshot_blobs::Error),
    #[error(transparent)]
    Internal(#[from] Error),
}

/// A photo that is usable by itself.
struct Candidate {
    row: uploads::Upload,
    alone: Verdict,
}

/// Compares a session's photos and stores what changes in their verdicts. `fresh` is the face of
/// a photo that has just been described.
///
/// Nothing is stored when the session has left the status `during` or its photos changed
/// meanwhile: whoever changed them compares after that.
pub(crate) async fn compare(
    app: &App,
    ids: (&OrgId, &ModelId),
    during: ModelStatus,
    fresh: Option<(UploadId, Descriptor)>,
) -> Result<(), CompareError> {
    let rows = {
        let mut conn = app.db.read().await?;
        uploads::of_model(&mut conn, ids).await?
    };
    let seen: Vec<UploadId> = rows.iter().map(|row| row.id.clone()).collect();
    let mut candidates = candidates(rows)?;
    let identities = if candidates.len() > 1 {
        let faces = faces(app, &mut candidates, fresh).await?;
        identity::compare(&faces)
    } else {
        vec![Identity::Same; candidates.len()]
    };
    let mut changed = Vec::new();
    for (Candidate { row, alone }, identity) in candidates.into_iter().zip(identities) {
        let verdict = alone.compared(identity);
        let text = words(&verdict)?;
        if text != row.verdict {
            changed.push(uploads::Upload {
                verdict: text,
                usable: verdict.usable,
                ..row
            });
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    if !models::hold(&mut tx, ids, during).await? {
        return Ok(());
    }
    let now = uploads::of_model(&mut tx, ids).await?;
    if !now.iter().map(|row| &row.id).eq(&seen) {
        return Ok(());
    }
    for row in &changed {
        uploads::judge(&mut tx, row).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whether a photo's verdict follows from a comparison with others.
pub(super) fn depends_on_others(verdict: &Verdict) -> bool {
    verdict.compared(Identity::Same) != *verdict
}

fn candidates(rows: Vec<uploads::Upload>) -> Result<Vec<Candidate>, Error> {
    let mut candidates = Vec::new();
    for row in rows {
        let alone = read(&row)?.verdict.compared(Identity::Same);
        if alone.usable {
            candidates.push(Candidate { row, alone });
        }
    }
    Ok(candidates)
}

/// The candidates' faces; who has none any more is a candidate no longer.
async fn faces(
    app: &App,
    candidates: &mut Vec<Candidate>,
    mut fresh: Option<(UploadId, Descriptor)>,
) -> Result<Vec<Descriptor>, CompareError> {
    let (mut kept, mut faces) = (Vec::new(), Vec::new());
    for candidate in candidates.drain(..) {
        let face = match fresh.take_if(|(id, _)| *id == candidate.row.id) {
            Some((_, face)) => Some(face),
            // One photo in memory at a time.
            None => match whole(app, &upload_key(&candidate.row)?).await? {
                Some(bytes) => app.studio.identify(bytes).await?,
                None => None,
            },
        };
        if let Some(face) = face {
            kept.push(candidate);
            faces.push(face);
        }
    }
    *candidates = kept;
    Ok(faces)
}
