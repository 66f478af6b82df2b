//! Serves every sample page on a local address: `cargo run -p headshot-pages --example preview`.
//!
//! An optional argument is the address; `--out DIR` writes the pages into a folder instead.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
};

use headshot_pages::{CSP, asset, samples};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pages = samples::all().map_err(io::Error::other)?;
    if let [flag, folder] = arguments.as_slice()
        && flag == "--out"
    {
        std::fs::create_dir_all(folder)?;
        for page in &pages {
            std::fs::write(format!("{folder}/{}.html", page.name), &page.html)?;
        }
        return Ok(());
    }
    let address = arguments.first().map_or("127.0.0.1:8099", String::as_str);
    let listener = TcpListener::bind(address)?;
    writeln!(io::stdout(), "http://{address}/")?;
    for stream in listener.incoming() {
        // A browser that hangs up early is no reason to stop.
        if let Err(error) = stream.and_then(|stream| answer(&stream, &pages)) {
            writeln!(io::stderr(), "{error}")?;
        }
    }
    Ok(())
}

fn answer(mut stream: &TcpStream, pages: &[samples::Sample]) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let path = line
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .split('?')
        .next()
        .unwrap_or("/");
    let (kind, body) = if let Some(found) = asset(path) {
        (found.content_type, found.bytes.to_vec())
    } else if let Some(page) = pages
        .iter()
        .find(|page| path.strip_prefix('/') == Some(page.name))
    {
        ("text/html; charset=utf-8", page.html.clone().into_bytes())
    } else {
        ("text/html; charset=utf-8", index(pages).into_bytes())
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Content-Security-Policy: {CSP}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

fn index(pages: &[samples::Sample]) -> String {
    let links = pages
        .iter()
        .map(|page| format!("<li><a href=\"/{0}\">{0}</a>", page.name));
    format!(
        "<!doctype html><title>Pages</title><ul>{}</ul>",
        links.collect::<String>()
    )
}
