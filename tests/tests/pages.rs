//! People at the pages: a real browser on a real installation. What they do and what must hold stands beside the pages, in
//! `gateway/console/tests/browser`; here is the world that they need, and a hand that stops and starts the gateway when they ask for it.
//! `PAGES=journey` runs one of the files.

use std::{path::Path, process::Stdio};

use drumtower_tests::{
    sources,
    world::{DISTRICTS, PASSWORD, Wanted, World},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
};

#[tokio::test(flavor = "multi_thread")]
async fn people_do_their_work_at_the_pages() {
    let console = sources::root().join("gateway/console");
    assert!(console.join("dist/index.html").is_file(), "the pages are not built: deploy/local/console.sh builds them");
    let world = tokio::task::spawn_blocking(|| World::start(&Wanted::default())).await.expect("a world");
    let control = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hand = control.local_addr().expect("an address").to_string();
    let out = sources::root().join("tests/out/pages");
    std::fs::create_dir_all(&out).expect("a folder for pictures");
    let status = tokio::select! {
        status = browse(&world, &console, &out, &hand) => status,
        () = obey(&world, control) => unreachable!("it listens without end"),
    };
    assert!(status, "the browser found something; its pictures are in {}", out.display());
}

async fn browse(world: &World, console: &Path, out: &Path, hand: &str) -> bool {
    let chosen = std::env::var("PAGES").unwrap_or_default();
    let mut files: Vec<_> =
        std::fs::read_dir(console.join("tests/browser")).expect("tests").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs") && file.to_string_lossy().contains(&chosen));
    files.sort();
    let mut node = Command::new("node");
    node.arg("--test").arg("--test-concurrency=1").arg("--test-reporter=spec").args(files).current_dir(console);
    node.env("BASE", world.url()).env("DISTRICT", DISTRICTS[0]).env("PASSWORD", PASSWORD).env("OUT", out).env("HAND", hand);
    // Without a language a browser cannot name a file that it saves in Chinese.
    node.env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).kill_on_drop(true);
    node.status().await.expect("node").success()
}

/// Each line that arrives is an order; it is answered when it is carried out.
async fn obey(world: &World, control: TcpListener) {
    loop {
        let Ok((stream, _)) = control.accept().await else { continue };
        if let Err(error) = answer(world, stream).await {
            eprintln!("an order was not heard: {error}");
        }
    }
}

async fn answer(world: &World, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut order = String::new();
    stream.read_line(&mut order).await?;
    match order.trim() {
        "stop" => world.kill("gateway"),
        "start" => tokio::task::block_in_place(|| {
            world.serve("gateway");
            world.wait_ready();
        }),
        other => panic!("nobody knows how to {other}"),
    }
    stream.write_all(b"done\n").await
}
