//! Whether everything fits together: schema, audit chain, counts, objects and their rows.
//!
//! Works beside running servers. What looks wrong while somebody writes is looked at twice, and
//! objects younger than an hour may still be waiting for their row.

use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use headshot_blobs::{Key, Objects, model_folder};
use headshot_domain::{ModelId, OrgId, Timestamp};
use headshot_storage::{
    Db, Error, audit as rows, doomed, organizations, photos, retention, tallies, uploads,
};

use crate::audit::{self, Verified};
use crate::objects::{EraseError, WRITERS_MAX, photo_keys, preview_key, upload_key};

/// How many problems of one kind are told in words; the rest is counted.
pub const TOLD_MAX: usize = 50;

/// How many rows are read at a time.
const PAGE: i64 = 500;

/// One of the things that are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How many things were looked at.
    pub looked_at: u64,
    /// What is wrong, in words.
    pub problems: Vec<String>,
    /// How many more problems there are.
    pub more: u64,
    /// How many problems were repaired; they are among the others too.
    pub repaired: u64,
}

impl Check {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            looked_at: 0,
            problems: Vec::new(),
            more: 0,
            repaired: 0,
        }
    }

    fn wrong(&mut self, what: String) {
        if self.problems.len() < TOLD_MAX {
            self.problems.push(what);
        } else {
            self.more += 1;
        }
    }

    /// Whether something is wrong that was not repaired.
    pub fn is_healthy(&self) -> bool {
        self.problems.len() as u64 + self.more == self.repaired
    }
}

/// What to look at, and whether to repair what can be.
#[derive(Debug, Clone, Copy)]
pub struct Doctor<'a> {
    /// The database, as it is.
    pub db: &'a Db,
    /// The objects.
    pub objects: &'a Objects,
    /// Whether to remove objects that nobody knows, and to count again.
    pub repair: bool,
    /// The time of day.
    pub now: Timestamp,
}

impl Doctor<'_> {
    /// Checks everything. Where the schema is not up to date, only that.
    ///
    /// # Errors
    /// When the database or the objects can't be read at all.
    pub async fn examine(self) -> Result<Vec<Check>, EraseError> {
        let schema = self.schema().await?;
        if !schema.is_healthy() {
            return Ok(vec![schema]);
        }
        Ok(vec![
            schema,
            self.audit_log().await?,
            self.counts().await?,
            self.deletions().await?,
            self.stored().await?,
        ])
    }

    async fn schema(self) -> Result<Check, Error> {
        let mut check = Check::new("schema");
        check.looked_at = 1;
        for version in self.db.missing_migrations().await? {
            check.wrong(format!(
                "migration {version} has not run; headshot migrate runs it"
            ));
        }
        Ok(check)
    }

    async fn audit_log(self) -> Result<Check, Error> {
        let mut check = Check::new("audit log");
        let mut conn = self.db.read().await?;
        check.looked_at = rows::head(&mut conn).await?.seq.unsigned_abs();
        if let Verified::Broken { seq, what } = audit::verify(&mut conn).await? {
            check.wrong(format!("entry {seq} {what}"));
        }
        Ok(check)
    }

    async fn counts(self) -> Result<Check, Error> {
        let mut check = Check::new("ledger and counts");
        let wrong = {
            let mut conn = self.db.read().await?;
            check.looked_at = tallies::number(&mut conn).await?.unsigned_abs();
            tallies::wrong(&mut conn, PAGE).await?
        };
        for wrong in wrong {
            check.wrong(format!(
                "{} of {} says {}, but there are {}",
                wrong.name, wrong.org_id, wrong.told, wrong.counted
            ));
            if self.repair {
                let mut tx = self.db.write().await?;
                tallies::recount(&mut tx, &wrong).await?;
                tx.commit().await?;
                check.repaired += 1;
            }
        }
        Ok(check)
    }

    async fn deletions(self) -> Result<Check, Error> {
        let mut check = Check::new("deletions");
        let mut conn = self.db.read().await?;
        let pending = doomed::pending(&mut conn, self.now.minus(WRITERS_MAX)).await?;
        if pending > 0 {
            check.wrong(format!(
                "{pending} deletions wait for more than an hour; a running worker finishes them"
            ));
        }
        check.looked_at = pending.unsigned_abs();
        Ok(check)
    }

    /// Objects and rows, one model at a time, so that the memory does not grow with them.
    async fn stored(self) -> Result<Check, EraseError> {
        let mut check = Check::new("objects");
        self.objects.check().await?;
        let root = self.objects.children("").await?;
        for object in root.objects {
            check.wrong(format!(
                "{} is no object of ours; it is left alone",
                object.path
            ));
        }
        let mut orgs: BTreeSet<String> = root.folders.into_iter().collect();
        let mut conn = self.db.read().await?;
        let known = organizations::list(&mut conn, i64::MAX).await?;
        drop(conn);
        orgs.extend(known.into_iter().map(|org| org.id.as_str().to_owned()));
        for org in orgs {
            self.stored_of(&OrgId::from(org), &mut check).await?;
        }
        Ok(check)
    }

    async fn stored_of(self, org: &OrgId, check: &mut Check) -> Result<(), EraseError> {
        // Object by object: not every server that speaks S3 lists folders rightly.
        let mut models = BTreeSet::new();
        let root = format!("{org}/");
        let mut listed = self.objects.list(org.as_str());
        while let Some(object) = listed.try_next().await? {
            let below = object.path.strip_prefix(&root);
            match below.and_then(|below| below.split_once('/')) {
                Some((model, _)) => drop(models.insert(model.to_owned())),
                None => check.wrong(format!(
                    "{} is no object of ours; it is left alone",
                    object.path
                )),
            }
        }
        let mut after = String::new();
        loop {
            let mut conn = self.db.read().await?;
            let page = retention::models_with_objects(&mut conn, (org, &after), PAGE).await?;
            let Some(last) = page.last() else { break };
            last.as_str().clone_into(&mut after);
            models.extend(page.iter().map(|model| model.as_str().to_owned()));
        }
        for model in models {
            self.stored_of_model((org, &ModelId::from(model)), check)
                .await?;
        }
        Ok(())
    }

    async fn stored_of_model(
        self,
        model: (&OrgId, &ModelId),
        check: &mut Check,
    ) -> Result<(), EraseError> {
        let mut found = self.compare(model).await?;
        if !found.is_empty() {
            // Somebody may have written between the two lists.
            found = self.compare(model).await?;
        }
        check.looked_at += found.objects;
        for path in found.missing {
            check.wrong(format!("{path} has a row but no object"));
        }
        for path in found.strange {
            check.wrong(format!("{path} is no object of ours; it is left alone"));
        }
        for path in &found.orphans {
            check.wrong(format!("{path} has no row"));
        }
        if self.repair {
            check.repaired += found.orphans.len() as u64;
            self.objects.delete(found.orphans).await?;
        }
        Ok(())
    }

    async fn compare(self, (org, model): (&OrgId, &ModelId)) -> Result<Found, EraseError> {
        let mut found = Found::default();
        let mut expected = self.expected((org, model)).await?;
        let mut listed = self.objects.list(&model_folder(org, model));
        while let Some(object) = listed.try_next().await? {
            found.objects += 1;
            let key = Key::parse(&object.path);
            if expected.remove(&object.path) {
                continue;
            }
            if key.is_none() {
                found.strange.push(object.path);
            } else if object.stored_at <= self.now.minus(WRITERS_MAX) {
                found.orphans.push(object.path);
            }
        }
        found.missing = expected.into_iter().collect();
        Ok(found)
    }

    /// The paths that the rows of a model stand for.
    async fn expected(self, model: (&OrgId, &ModelId)) -> Result<BTreeSet<String>, Error> {
        let mut conn = self.db.read().await?;
        let mut keys = Vec::new();
        for photo in photos::active(&mut conn, model).await? {
            keys.extend(photo_keys(&photo)?);
        }
        for upload in uploads::of_model(&mut conn, model).await? {
            keys.push(upload_key(&upload)?);
            keys.push(preview_key(&upload));
        }
        Ok(keys.iter().map(Key::path).collect())
    }
}

/// What is in one model's folder.
#[derive(Debug, Default)]
struct Found {
    objects: u64,
    /// Rows without an object.
    missing: Vec<String>,
    /// Objects without a row, older than an hour.
    orphans: Vec<String>,
    /// Objects whose path is none of ours.
    strange: Vec<String>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.orphans.is_empty() && self.strange.is_empty()
    }
}
