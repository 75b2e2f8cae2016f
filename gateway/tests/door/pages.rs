//! The console and the phone's pages at the door.

use std::path::Path;

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};

use crate::{Answer, ask, street::Street};

/// What a build of the console leaves.
fn built() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("assets")).expect("a folder");
    for (name, content) in [
        ("index.html", "<title>console</title>"),
        ("m.html", "<title>phone</title>"),
        ("sw.js", "self"),
        ("favicon.svg", "<svg/>"),
        ("assets/app-1.js", "let plain"),
        ("assets/app-1.js.br", "brotli"),
        ("assets/app-1.js.gz", "gzip"),
        ("assets/contract-2.bin", "bytes"),
    ] {
        std::fs::write(dir.path().join(name), content).expect("written");
    }
    dir
}

async fn with_pages(dir: &Path) -> Street {
    Street::open_with(|config| config.gateway.console_dir = Some(dir.to_owned())).await
}

fn get(street: &Street, path: &str) -> RequestBuilder {
    let client = Client::builder().redirect(Policy::none()).build().expect("a client");
    client.request(Method::GET, street.url(path)).header("accept", "text/html")
}

fn text(answer: &Answer) -> &str {
    answer.json.as_str().unwrap_or_default()
}

#[tokio::test]
async fn every_address_of_a_page_is_that_page_and_a_file_is_a_file() {
    let dir = built();
    let street = with_pages(dir.path()).await;
    for (path, kind, content) in [
        ("/console", "text/html; charset=utf-8", "<title>console</title>"),
        ("/t/350102/console/tickets/7?tab=events", "text/html; charset=utf-8", "<title>console</title>"),
        ("/t/350102/m", "text/html; charset=utf-8", "<title>phone</title>"),
        ("/m/my", "text/html; charset=utf-8", "<title>phone</title>"),
        ("/t/350102/m/sw.js", "text/javascript; charset=utf-8", "self"),
        ("/favicon.svg", "image/svg+xml", "<svg/>"),
    ] {
        let answer = ask(get(&street, path)).await;
        assert_eq!((answer.status, answer.header("content-type"), text(&answer)), (200, kind, content), "{path}");
        assert_eq!((answer.header("cache-control"), answer.header("x-content-type-options")), ("no-cache", "nosniff"), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!((answer.header("referrer-policy"), answer.header("cross-origin-opener-policy")), ("same-origin", "same-origin"));
        assert!(answer.header("permissions-policy").contains("camera=(self)"));
    }
    assert_eq!(ask(get(&street, "/t/350102/m/sw.js")).await.header("service-worker-allowed"), "/t/350102/m");
    for path in ["/console/app.js", "/m/nothing.json", "/assets/none-3.js", "/assets/../index.html", "/assets/%2e%2e/index.html"] {
        let answer = ask(get(&street, path)).await;
        assert_eq!((answer.status, answer.reason()), (404, "UNKNOWN_PATH"), "{path}");
    }
    let post = ask(Client::new().post(street.url("/t/350102/console"))).await;
    assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"));
    let head = ask(Client::new().head(street.url("/console"))).await;
    assert_eq!((head.status, head.header("content-length"), text(&head)), (200, "22", ""));
}

#[tokio::test]
async fn the_front_door_leads_people_to_the_console_and_programs_to_the_documents() {
    let dir = built();
    let street = with_pages(dir.path()).await;
    for (path, leads) in [("/", "/console"), ("/t/350102", "/t/350102/console"), ("/t/350102/", "/t/350102/console")] {
        let answer = ask(get(&street, path)).await;
        assert_eq!((answer.status, answer.header("location")), (302, leads), "{path}");
    }
    assert_eq!(ask(Client::new().get(street.url("/"))).await.json["openapi"], "/openapi.json");
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again_and_what_is_sent_is_small() {
    let dir = built();
    let street = with_pages(dir.path()).await;
    let page = ask(get(&street, "/console")).await;
    let tag = page.header("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let again = ask(get(&street, "/t/350102/console/tickets").header("if-none-match", known)).await;
        assert_eq!((again.status, text(&again), again.header("etag")), (304, "", tag.as_str()));
    }
    std::fs::write(dir.path().join("index.html"), "<title>newer</title>").expect("written");
    let newer = ask(get(&street, "/console").header("if-none-match", &tag)).await;
    assert_eq!((newer.status, text(&newer)), (200, "<title>newer</title>"));

    let mut tags = std::collections::BTreeSet::new();
    for (accepted, coding, content) in
        [("gzip, deflate, br", "br", "brotli"), ("gzip", "gzip", "gzip"), ("br;q=0, gzip;q=0", "", "let plain"), ("", "", "let plain")]
    {
        let answer = ask(get(&street, "/assets/app-1.js").header("accept-encoding", accepted)).await;
        assert_eq!((answer.status, answer.header("content-encoding"), text(&answer)), (200, coding, content), "{accepted}");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!((answer.header("cache-control"), answer.header("vary")), ("public, max-age=31536000, immutable", "accept-encoding"));
        tags.insert(answer.header("etag").to_owned());
    }
    assert_eq!(tags.len(), 3, "one for each coding");
    let bytes = ask(get(&street, "/assets/contract-2.bin").header("accept-encoding", "br")).await;
    assert_eq!((bytes.header("content-encoding"), bytes.header("content-type")), ("", "application/octet-stream"));
}

#[tokio::test]
async fn where_no_pages_were_built_it_is_said_how_to_get_them() {
    let empty = tempfile::tempdir().expect("a folder");
    let street = with_pages(empty.path()).await;
    for path in ["/console", "/t/350102/m/tickets"] {
        let answer = ask(get(&street, path)).await;
        assert_eq!((answer.status, answer.header("cache-control")), (503, "no-store"), "{path}");
        assert!(text(&answer).contains("make up") && text(&answer).contains("页面尚未构建"), "{path}");
    }
    assert_eq!(ask(get(&street, "/assets/app-1.js")).await.status, 404);
    assert_eq!(ask(get(&street, "/m/sw.js")).await.status, 404);
}
