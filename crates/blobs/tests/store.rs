//! The same behaviour in memory, in a folder and in S3.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use headshot_blobs::{Error, Key, Location, Objects, PART};
use rstest::rstest;
use tempfile::TempDir;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Memory,
    Folder,
    S3,
}

struct Store {
    objects: Objects,
    folder: TempDir,
}

impl Kind {
    fn open(self) -> Store {
        let folder = tempfile::tempdir().unwrap();
        let location = match self {
            Self::Memory => Location::Memory,
            Self::Folder => Location::Folder(folder.path().join("objects")),
            Self::S3 => headshot_testkit::s3().location(),
        };
        Store {
            objects: Objects::open(&location).unwrap(),
            folder,
        }
    }
}

fn key(path: &str) -> Key {
    Key::parse(path).unwrap()
}

async fn put(objects: &Objects, path: &str, text: &'static str) {
    objects.put(&key(path), text.into()).await.unwrap();
}

async fn read(objects: &Objects, path: &str) -> Option<Vec<u8>> {
    let object = objects.get(&key(path), None).await.unwrap()?;
    let parts: Vec<Bytes> = object.content.try_collect().await.unwrap();
    Some(parts.concat())
}

async fn paths(objects: &Objects, folder: &str) -> Vec<String> {
    let listed = objects.list(folder).map(|meta| meta.unwrap().path);
    let mut paths: Vec<String> = listed.collect().await;
    paths.sort();
    paths
}

#[rstest]
#[case::memory(Kind::Memory)]
#[case::folder(Kind::Folder)]
#[case::s3(Kind::S3)]
#[tokio::test]
async fn objects_are_stored_read_listed_and_deleted(#[case] kind: Kind) {
    let store = kind.open();
    let objects = &store.objects;
    objects.check().await.unwrap();
    assert_eq!(read(objects, "o/m/photos/1.jpg").await, None);
    assert_eq!(objects.head(&key("o/m/photos/1.jpg")).await.unwrap(), None);
    put(objects, "o/m/photos/1.jpg", "0123456789").await;
    put(objects, "o/m/photos/1_thumb.jpg", "small").await;
    put(objects, "o/m/uploads/1.heic", "selfie").await;
    put(objects, "o/m2/photos/2.jpg", "another").await;
    let whole = read(objects, "o/m/photos/1.jpg").await.unwrap();
    assert_eq!(whole, b"0123456789");
    let meta = objects.head(&key("o/m/photos/1.jpg")).await.unwrap();
    let meta = meta.unwrap();
    assert_eq!((meta.path.as_str(), meta.size), ("o/m/photos/1.jpg", 10));
    assert!(!meta.tag.is_empty() && !meta.tag.contains('"'), "{meta:?}");
    for (range, expected) in [
        (0..2, "01"),
        (3..7, "3456"),
        (9..10, "9"),
        (0..10, "0123456789"),
    ] {
        let part = objects.get(&key("o/m/photos/1.jpg"), Some(range)).await;
        let part = part.unwrap().unwrap();
        assert_eq!(part.meta.size, 10);
        let bytes: Vec<Bytes> = part.content.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), expected.as_bytes());
    }
    // A folder is whole: `o/m` is not the beginning of `o/m2`.
    let of_model = [
        "o/m/photos/1.jpg",
        "o/m/photos/1_thumb.jpg",
        "o/m/uploads/1.heic",
    ];
    assert_eq!(paths(objects, "o/m").await, of_model);
    // The S3 server of the tests does not list folders below the root.
    if !matches!(kind, Kind::S3) {
        let children = objects.children("o").await.unwrap();
        assert_eq!(children.folders, ["o/m", "o/m2"]);
    }
    objects
        .delete(vec![
            "o/m/photos/1.jpg".into(),
            "o/m/photos/never.jpg".into(),
        ])
        .await
        .unwrap();
    assert_eq!(paths(objects, "o/m").await, of_model[1..]);
    assert_eq!(objects.delete_folder("o/m").await.unwrap(), 2);
    assert_eq!(objects.delete_folder("o/m").await.unwrap(), 0);
    assert_eq!(paths(objects, "").await, ["o/m2/photos/2.jpg"]);
}

#[rstest]
#[case::memory(Kind::Memory)]
#[case::folder(Kind::Folder)]
#[case::s3(Kind::S3)]
#[tokio::test]
async fn a_stream_of_any_size_arrives_whole(#[case] kind: Kind) {
    let store = kind.open();
    let key = key("o/m/uploads/1.jpg");
    for size in [0, 1, PART - 1, PART, PART + 1, 2 * PART + 7] {
        let content: Vec<u8> = (0..size)
            .map(|place| u8::try_from(place % 251).unwrap())
            .collect();
        let pieces: Vec<_> = content
            .chunks(300_000)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let stored = store.objects.put_stream(&key, stream::iter(pieces)).await;
        assert_eq!(stored.unwrap(), size as u64);
        let read = read(&store.objects, "o/m/uploads/1.jpg").await.unwrap();
        assert!(read == content, "{size} bytes came back as {}", read.len());
    }
}

#[rstest]
#[case::memory(Kind::Memory)]
#[case::folder(Kind::Folder)]
#[case::s3(Kind::S3)]
#[tokio::test]
async fn what_breaks_off_is_never_seen(#[case] kind: Kind) {
    let store = kind.open();
    for size in [10, 2 * PART] {
        let start = Bytes::from(vec![7; size]);
        let broken = stream::iter([Ok(start), Err(io::Error::other("gone"))]);
        let stored = store
            .objects
            .put_stream(&key("o/m/uploads/1.jpg"), broken)
            .await;
        assert!(matches!(stored, Err(Error::Input(_))), "{stored:?}");
        assert_eq!(paths(&store.objects, "").await, [""; 0]);
    }
}

#[rstest]
#[case::to_folder(Kind::S3, Kind::Folder)]
#[case::to_s3(Kind::Folder, Kind::S3)]
#[tokio::test]
async fn a_store_is_copied_into_another(#[case] from: Kind, #[case] to: Kind) {
    let (from, to) = (from.open(), to.open());
    put(&from.objects, "o/m/photos/1.jpg", "one").await;
    put(&from.objects, "o/m/uploads/2.png", "two").await;
    assert_eq!(from.objects.copy_to(&to.objects).await.unwrap(), 2);
    let copied = paths(&to.objects, "").await;
    assert_eq!(copied, ["o/m/photos/1.jpg", "o/m/uploads/2.png"]);
    assert_eq!(
        read(&to.objects, "o/m/uploads/2.png").await.unwrap(),
        b"two"
    );
}

#[tokio::test]
async fn leftovers_of_a_kill_are_no_objects_and_are_removed() {
    let store = Kind::Folder.open();
    put(&store.objects, "o/m/uploads/1.jpg", "one").await;
    let root = store.folder.path().join("objects");
    let leftover = root.join("o/m/uploads/2.jpg#1");
    std::fs::write(&leftover, "half").unwrap();
    assert_eq!(paths(&store.objects, "").await, ["o/m/uploads/1.jpg"]);
    let hour = Duration::from_hours(1);
    assert_eq!(store.objects.sweep_unfinished(hour).await.unwrap(), 0);
    assert_eq!(
        store
            .objects
            .sweep_unfinished(Duration::ZERO)
            .await
            .unwrap(),
        1
    );
    assert!(!leftover.exists());
    // A model's folder goes with whatever is in it.
    std::fs::write(&leftover, "half").unwrap();
    assert_eq!(store.objects.delete_folder("o/m").await.unwrap(), 1);
    assert!(!root.join("o/m").exists());
}

#[tokio::test]
async fn a_folder_is_for_the_server_s_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let store = Kind::Folder.open();
    let root = std::fs::metadata(store.folder.path().join("objects")).unwrap();
    assert_eq!(root.permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn errors_name_the_place() {
    let told = async |location: &Location| match Objects::open(location) {
        Ok(objects) => objects.check().await.unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let text = told(&Location::Folder(file.join("objects"))).await;
    assert!(text.contains("/file/objects can't be reached"), "{text}");
    let s3 = headshot_testkit::s3();
    let no_bucket = Location::parse("s3://nowhere/a", s3.variables.clone()).unwrap();
    assert_eq!(
        told(&no_bucket).await,
        "the bucket of s3://nowhere/a does not exist"
    );
    // Nobody listens on the port of a socket that is bound only.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = port.local_addr().unwrap().port();
    let mut variables = s3.variables.clone();
    variables.push((
        "AWS_ENDPOINT_URL".into(),
        format!("http://127.0.0.1:{port}"),
    ));
    let text = told(&Location::parse(&s3.url, variables).unwrap()).await;
    assert!(
        text.starts_with(&format!("the objects at {} can't be reached", s3.url)),
        "{text}"
    );
}
