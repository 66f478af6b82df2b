//! The objects of Headshot: generated photos and uploaded pictures, in a folder or in S3.
//!
//! An object is either there as a whole or not at all: a file is written under another name and
//! renamed, an S3 object appears when its last byte has arrived. Nothing here holds more than
//! [`PART`] of an object in memory, and nothing here knows the database or HTTP.
//!
//! ```
//! # async fn example() -> Result<(), headshot_blobs::Error> {
//! use headshot_blobs::{Key, Location, Objects};
//! let objects = Objects::open(&Location::Memory)?;
//! let key = Key::parse("org_1/model_1/uploads/1.jpg").expect("a key");
//! objects.put(&key, bytes::Bytes::from_static(b"...")).await?;
//! assert!(objects.head(&key).await?.is_some());
//! objects.delete_folder("org_1/model_1").await?;
//! # Ok(())
//! # }
//! ```

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use headshot_domain::Timestamp;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, WriteMultipart,
};

mod error;
mod folder;
mod key;
mod location;
mod s3;

pub use error::Error;
pub use key::{Key, model_folder, variant_of};
pub use location::{InvalidLocation, Location, S3};

/// Larger objects are sent in parts of this size, in bytes. S3 takes no smaller ones.
pub const PART: usize = 5 * 1024 * 1024;

/// How many parts may be under way at once.
const PARTS_MAX: usize = 2;

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    location: Arc<str>,
    /// The root, where it is a folder of this machine.
    folder: Option<PathBuf>,
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its path below the root.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// Changes with the content; without quotes.
    pub tag: String,
}

/// An object that is being read.
pub struct Object {
    /// What is known of the whole object.
    pub meta: Meta,
    /// The bytes that were asked for.
    pub content: BoxStream<'static, Result<Bytes, Error>>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

/// What is directly in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Children {
    /// Paths of the folders in it.
    pub folders: Vec<String>,
    /// The objects in it.
    pub objects: Vec<Meta>,
}

impl Objects {
    /// Opens the store. A folder is made, for the server's user only; a bucket is not asked yet.
    ///
    /// # Errors
    /// When the folder can't be made, or the settings for S3 contradict each other.
    pub fn open(location: &Location) -> Result<Self, Error> {
        let name: Arc<str> = location.to_string().into();
        let wrong = |source| Error::of(source, &name, "opening it".to_owned());
        let mut folder = None;
        let store: Arc<dyn ObjectStore> = match location {
            Location::Folder(path) => {
                folder = Some(path.clone());
                Arc::new(folder::open(path).map_err(wrong)?)
            }
            Location::S3(s3) => {
                let store = s3::open(s3).map_err(wrong)?;
                Arc::new(PrefixStore::new(store, s3.prefix.clone()))
            }
            Location::Memory => Arc::new(object_store::memory::InMemory::new()),
        };
        Ok(Self {
            store,
            location: name,
            folder,
        })
    }

    /// Folder or bucket, as it is configured. For messages.
    pub fn location(&self) -> &str {
        &self.location
    }

    fn of<'a>(
        &'a self,
        verb: &'static str,
        path: &'a str,
    ) -> impl Fn(object_store::Error) -> Error + use<'a> {
        move |source| Error::of(source, &self.location, format!("{verb} {path}"))
    }

    /// What S3 has to remember of an object; a folder remembers nothing.
    fn attributes(&self, key: &Key) -> Attributes {
        match self.folder {
            Some(_) => Attributes::new(),
            None => Attributes::from_iter([(Attribute::ContentType, key.content_type())]),
        }
    }

    /// Stores an object that is in memory. When this returns, it survives a power cut.
    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), Error> {
        let path = key.path();
        let options = PutOptions::from(self.attributes(key));
        self.store
            .put_opts(&Path::from(path.as_str()), bytes.into(), options)
            .await
            .map(|_| ())
            .map_err(self.of("writing", &path))
    }

    /// Stores an object while it arrives; how large it was. Whatever fails, nothing is published.
    pub async fn put_stream(
        &self,
        key: &Key,
        mut content: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    ) -> Result<u64, Error> {
        let mut start = Vec::new();
        while start.len() < PART {
            let Some(bytes) = content.next().await else {
                let size = start.len() as u64;
                return self.put(key, start.into()).await.map(|()| size);
            };
            start.extend_from_slice(&bytes.map_err(Error::Input)?);
        }
        let path = key.path();
        let options = PutMultipartOptions::from(self.attributes(key));
        let upload = self
            .store
            .put_multipart_opts(&Path::from(path.as_str()), options)
            .await
            .map_err(self.of("writing", &path))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PART);
        let rest = stream::iter([Ok(Bytes::from(start))]).chain(content);
        match self.write_parts(&mut writer, rest, &path).await {
            Ok(size) => {
                writer.finish().await.map_err(self.of("writing", &path))?;
                Ok(size)
            }
            Err(failed) => {
                // The first failure is the one to tell.
                writer.abort().await.ok();
                Err(failed)
            }
        }
    }

    async fn write_parts(
        &self,
        writer: &mut WriteMultipart,
        mut content: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
        path: &str,
    ) -> Result<u64, Error> {
        let mut size = 0;
        while let Some(bytes) = content.next().await {
            let bytes = bytes.map_err(Error::Input)?;
            size += bytes.len() as u64;
            writer
                .wait_for_capacity(PARTS_MAX)
                .await
                .map_err(self.of("writing", path))?;
            writer.put(bytes);
        }
        Ok(size)
    }

    /// What is known of an object, if it is there.
    pub async fn head(&self, key: &Key) -> Result<Option<Meta>, Error> {
        let path = key.path();
        match self.store.head(&Path::from(path.as_str())).await {
            Ok(meta) => Ok(Some(meta.into())),
            Err(error) => self.absent(error, &path),
        }
    }

    /// Begins to read an object, if it is there: all of it, or the bytes of `range`, which must lie
    /// within it.
    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Object>, Error> {
        let path = key.path();
        let options = GetOptions::new().with_range(range.map(GetRange::Bounded));
        let at = Path::from(path.as_str());
        let found = match self.store.get_opts(&at, options).await {
            Ok(found) => found,
            Err(error) => return self.absent(error, &path),
        };
        let meta = Meta::from(found.meta.clone());
        let location = Arc::clone(&self.location);
        let failed = move |source| Error::of(source, &location, format!("reading {path}"));
        Ok(Some(Object {
            meta,
            content: found.into_stream().map_err(failed).boxed(),
        }))
    }

    /// An object that is not there is no error.
    fn absent<T>(&self, error: object_store::Error, path: &str) -> Result<Option<T>, Error> {
        match error {
            object_store::Error::NotFound { .. } => Ok(None),
            error => Err(self.of("reading", path)(error)),
        }
    }

    /// Every object under `folder`, in no order. Folders are whole: `a/b` does not list `a/bc`.
    pub fn list(&self, folder: &str) -> BoxStream<'static, Result<Meta, Error>> {
        let location = Arc::clone(&self.location);
        let what = format!("listing {folder}/");
        self.store
            .list(Some(&Path::from(folder)))
            .map(move |meta| match meta {
                Ok(meta) => Ok(meta.into()),
                Err(source) => Err(Error::of(source, &location, what.clone())),
            })
            .boxed()
    }

    /// What is directly in `folder`; the empty text is the root.
    pub async fn children(&self, folder: &str) -> Result<Children, Error> {
        let at = Path::from(folder);
        let listed = self.store.list_with_delimiter(Some(&at)).await;
        let listed = listed.map_err(self.of("listing", folder))?;
        Ok(Children {
            folders: listed.common_prefixes.iter().map(Path::to_string).collect(),
            objects: listed.objects.into_iter().map(Meta::from).collect(),
        })
    }

    /// Deletes objects by their paths. One that is not there is no error.
    pub async fn delete(&self, paths: Vec<String>) -> Result<(), Error> {
        let paths = paths.into_iter().map(|path| Ok(Path::from(path)));
        self.delete_all(stream::iter(paths).boxed()).await?;
        Ok(())
    }

    /// Deletes every object under `folder`, with what interrupted writes have left there; how many
    /// objects there were.
    pub async fn delete_folder(&self, folder: &str) -> Result<u64, Error> {
        let path = Path::from(folder);
        let listed = self.store.list(Some(&path)).map_ok(|meta| meta.location);
        let deleted = self.delete_all(listed.boxed()).await?;
        if let Some(root) = &self.folder {
            let removed = folder::remove(root.join(path.as_ref())).await;
            removed.map_err(self.of("deleting", folder))?;
        }
        Ok(deleted)
    }

    async fn delete_all(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> Result<u64, Error> {
        let mut deleted = self.store.delete_stream(paths);
        let mut count = 0;
        while let Some(done) = deleted.next().await {
            match done {
                Ok(_) => count += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.of("deleting", "objects")(error)),
            }
        }
        Ok(count)
    }

    /// Removes what writes that were interrupted more than `age` ago have left in the folder; how
    /// many files that were. In S3 a rule of the bucket does it.
    pub async fn sweep_unfinished(&self, age: Duration) -> Result<u64, Error> {
        match &self.folder {
            Some(root) => folder::sweep(root.clone(), age)
                .await
                .map_err(self.of("cleaning", "up")),
            None => Ok(0),
        }
    }

    /// Copies every object of ours into another store; how many.
    pub async fn copy_to(&self, other: &Self) -> Result<u64, Error> {
        let mut listed = self.list("");
        let mut count = 0;
        while let Some(meta) = listed.try_next().await? {
            let Some(key) = Key::parse(&meta.path) else {
                continue;
            };
            // One that was deleted meanwhile belongs in no copy.
            if let Some(object) = self.get(&key, None).await? {
                let content = object.content.map_err(std::io::Error::other);
                other.put_stream(&key, content).await?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Writes, reads and deletes an object, to tell early what would fail later.
    pub async fn check(&self) -> Result<(), Error> {
        let path = Path::from(format!(".check-{}", std::process::id()));
        let put = self
            .store
            .put(&path, Bytes::from_static(b"headshot").into());
        put.await.map_err(self.of("writing", path.as_ref()))?;
        let read = self.store.head(&path).await;
        read.map_err(self.of("reading", path.as_ref()))?;
        self.delete(vec![path.to_string()]).await
    }
}

impl From<ObjectMeta> for Meta {
    fn from(meta: ObjectMeta) -> Self {
        let tag = meta.e_tag.unwrap_or_default();
        Self {
            path: meta.location.to_string(),
            size: meta.size,
            stored_at: Timestamp::from_unix_ms(meta.last_modified.timestamp_millis()),
            tag: tag.trim_matches('"').to_owned(),
        }
    }
}
