//! Operations that go on after the answer, pages, and what check mode does with both.

use davit_event::{End, Status};
use serde_json::{Value, json};

use super::stub::{Asked, Stub, ok, said};
use super::{call, in_play, msg};
use crate::play::Play;

const TOKEN: [(&str, &str); 2] =
    [("CLOUDSDK_AUTH_ACCESS_TOKEN", "a-token-of-mine"), ("CLOUDSDK_CORE_PROJECT", "shop")];

fn insert(stub: &Stub, wait: bool) -> Value {
    json!({
        "api": "compute", "version": "v1", "method": "instances.insert", "parameters": {"zone": "z"},
        "body": {"name": "vm"}, "endpoint_url": stub.url, "wait": wait, "wait_timeout": 30,
    })
}

/// An operation of Compute Engine that has ended after so many looks.
fn compute(looks: usize, error: Value) -> Stub {
    Stub::new(move |asked| {
        let link = "https://www.googleapis.com/compute/v1/projects/shop/zones/z/operations/op-1";
        let ended = asked.number >= looks;
        let mut operation = json!({
            "kind": "compute#operation", "name": "op-1", "selfLink": link, "progress": asked.number * 10,
            "status": if ended { "DONE" } else { "RUNNING" },
        });
        if ended && !error.is_null() {
            operation["error"] = error.clone();
            operation["httpErrorStatusCode"] = 409.into();
        }
        ok(&operation)
    })
}

#[test]
fn operations_of_compute_engine_are_waited_for() {
    let stub = compute(3, Value::Null);
    let end = call(&TOKEN, &insert(&stub, true));
    assert_eq!(
        (end.status, &end.reply["result"]["status"]),
        (Status::Changed, &json!("DONE")),
        "{end:?}"
    );
    let asked = stub.asked();
    let wait = "/compute/v1/projects/shop/zones/z/operations/op-1/wait";
    let lines: Vec<(&str, &str)> =
        asked.iter().map(|it| (it.method.as_str(), it.path.as_str())).collect();
    let made = ("POST", "/compute/v1/projects/shop/zones/z/instances");
    assert_eq!(lines, [made, ("POST", wait), ("POST", wait), ("POST", wait)]);
    assert!(asked.iter().all(|it| it.header("authorization") == "Bearer a-token-of-mine"));
    // An id lets Google tell one call that comes twice from two.
    assert_eq!(asked[0].query("requestId").unwrap().len(), 36);
    assert_eq!(asked[0].json(), json!({"name": "vm"}));
}

#[test]
fn operations_are_left_alone_where_that_is_asked_for() {
    let stub = compute(3, Value::Null);
    let end = call(&TOKEN, &insert(&stub, false));
    assert_eq!((end.status, stub.asked().len()), (Status::Changed, 1));
    assert_eq!(end.reply["result"]["status"], "RUNNING");
}

#[test]
fn operations_that_end_badly_fail_and_something_was_changed() {
    let error = json!({"errors": [{"code": "ZONE_FULL", "message": "no room in z"}]});
    let end = call(&TOKEN, &insert(&compute(2, error), true));
    let text = "instances.insert: the operation op-1: no room in z (409, ZONE_FULL)";
    assert_eq!((end.status, msg(&end)), (Status::Failed, text));
    assert_eq!(
        (&end.reply["changed"], &end.reply["error"]["reason"]),
        (&json!(true), &json!("ZONE_FULL"))
    );
}

#[test]
fn operations_that_do_not_end_are_waited_for_so_long() {
    let stub = compute(usize::MAX, Value::Null);
    let mut args = insert(&stub, true);
    args["wait_timeout"] = 1.into();
    let end = call(&TOKEN, &args);
    assert_eq!(msg(&end), "the operation op-1 has not ended after 1 s");
    assert_eq!(end.reply["changed"], true);
}

#[test]
fn long_running_operations_are_waited_for() {
    let name = "projects/shop/locations/l/operations/op-2";
    let answers = move |asked: &Asked| {
        let mut operation = json!({"name": name, "metadata": {}});
        if asked.number == 3 {
            operation["done"] = true.into();
            operation["response"] = json!({"uri": "https://hello"});
        }
        ok(&operation)
    };
    let stub = Stub::new(answers);
    let args = json!({
        "api": "run", "version": "v2", "method": "projects.locations.services.create",
        "parameters": {"parent": "projects/shop/locations/l", "serviceId": "hello"},
        "body": {"labels": {"a": "b"}}, "endpoint_url": stub.url, "query": "response.uri",
    });
    let end = call(&TOKEN, &args);
    assert_eq!(
        (end.status, &end.reply["result"]),
        (Status::Changed, &json!("https://hello")),
        "{end:?}"
    );
    assert_eq!(stub.count(&format!("/v2/{name}")), 3);
    let failing = Stub::new(move |_| {
        let error = json!({"code": 7, "message": "not you", "details": [{"reason": "IAM"}]});
        ok(&json!({"name": name, "done": true, "error": error}))
    });
    let end = call(&TOKEN, &{
        let mut args = args;
        args["endpoint_url"] = failing.url.clone().into();
        args
    });
    let text =
        format!("projects.locations.services.create: the operation {name}: not you (7, IAM)");
    assert_eq!(msg(&end), text);
}

#[test]
fn operations_with_a_status_are_waited_for_by_their_address() {
    let stub = Stub::new(|asked| {
        let link = "https://sqladmin.googleapis.com/v1/projects/shop/operations/op-3";
        let status = if asked.number < 2 { "PENDING" } else { "DONE" };
        ok(&json!({"kind": "sql#operation", "name": "op-3", "status": status, "selfLink": link}))
    });
    let args = json!({
        "api": "sqladmin", "version": "v1", "method": "instances.insert", "body": {"name": "db"},
        "endpoint_url": stub.url,
    });
    let end = call(&TOKEN, &args);
    assert_eq!(
        (end.status, &end.reply["result"]["status"]),
        (Status::Changed, &json!("DONE")),
        "{end:?}"
    );
    assert_eq!(stub.count("/v1/projects/shop/operations/op-3"), 2);
}

/// Machines, two on each page.
fn machines(asked: &Asked) -> Value {
    let from: usize = asked.query("pageToken").map_or(0, |it| it.parse().unwrap());
    let mut page = json!({"kind": "compute#instanceList", "items": [
        {"name": format!("vm-{from}")}, {"name": format!("vm-{}", from + 1)},
    ]});
    if from < 4 {
        page["nextPageToken"] = (from + 2).to_string().into();
    }
    page
}

#[test]
fn pages_are_put_together() {
    let stub = Stub::new(|asked| ok(&machines(asked)));
    let list = |more: Value| {
        let mut args = json!({
            "api": "compute", "version": "v1", "method": "instances.list", "parameters": {"zone": "z"},
            "endpoint_url": stub.url, "query": "items[].name",
        });
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&TOKEN, &args).reply["result"].clone()
    };
    assert_eq!(list(json!({})), json!(["vm-0", "vm-1", "vm-2", "vm-3", "vm-4", "vm-5"]));
    assert_eq!(list(json!({"paginate": false})), json!(["vm-0", "vm-1"]));
    assert_eq!(list(json!({"query": "[kind, length(items)]"})), json!(["compute#instanceList", 6]));
    let from = json!({"parameters": {"zone": "z", "pageToken": "4"}});
    assert_eq!(list(from), json!(["vm-4", "vm-5"]));
}

#[test]
fn pages_that_go_round_in_a_circle_come_to_an_end() {
    for (first, second) in [("again", "again"), ("one", "two")] {
        let stub = Stub::new(move |asked| {
            let next = if asked.query("pageToken") == Some(first) { second } else { first };
            ok(&json!({"items": [], "nextPageToken": next}))
        });
        let args = json!({
            "api": "compute", "version": "v1", "method": "zones.list", "endpoint_url": stub.url,
        });
        let end = call(&TOKEN, &args);
        assert!(msg(&end).contains("the next page was there already"), "{end:?}");
    }
}

#[test]
fn tokens_of_pages_may_stand_in_the_body() {
    let stub = Stub::new(|asked| {
        let body = asked.json();
        let last = body["pageToken"] == "two";
        let mut page = json!({"entries": [{"insertId": body["filter"]}]});
        page["nextPageToken"] = if last { Value::Null } else { "two".into() };
        ok(&page)
    });
    let args = json!({
        "api": "logging", "version": "v2", "method": "entries.list", "endpoint_url": stub.url,
        "body": {"resourceNames": ["projects/shop"], "filter": "f"}, "query": "entries[].insertId",
    });
    assert_eq!(call(&TOKEN, &args).reply["result"], json!(["f", "f"]));
}

#[test]
fn check_mode_asks_and_changes_nothing() {
    let stub = Stub::new(|asked| ok(&machines(asked)));
    let environment = TOKEN.map(|(name, it)| (name.to_owned(), it.to_owned())).into();
    let play = Play { check: true, environment, ..Play::new() };
    let ends = in_play(
        &play,
        &[
            insert(&stub, true),
            json!({
                "api": "compute", "version": "v1", "method": "instances.testIamPermissions",
                "parameters": {"zone": "z", "resource": "vm"}, "body": {"permissions": ["a"]},
                "endpoint_url": stub.url,
            }),
            json!({
                "api": "compute", "version": "v1", "method": "instances.insert", "body": {"nam": "x"},
                "parameters": {"zone": "z"}, "endpoint_url": stub.url,
            }),
        ],
    );
    let statuses: Vec<Status> = ends.iter().map(|it: &End| it.status).collect();
    assert_eq!(statuses, [Status::Changed, Status::Ok, Status::Failed], "{ends:?}");
    assert_eq!(stub.asked().len(), 1, "{:?}", stub.asked());
    assert!(stub.asked()[0].path.ends_with("/testIamPermissions"));
}

#[test]
fn keys_among_the_parameters_are_not_shown() {
    let stub = Stub::new(|asked| ok(&json!({"items": [{"name": asked.query("key")}]})));
    let args = json!({
        "api": "compute", "version": "v1", "method": "zones.list", "parameters": {"key": "hidden-key-1"},
        "endpoint_url": stub.url,
    });
    let end = call(&TOKEN, &args);
    assert_eq!(
        (end.status, &end.reply["result"]["items"][0]["name"]),
        (Status::Ok, &json!("********"))
    );
    assert!(!format!("{end:?}").contains("hidden-key-1"), "{end:?}");
}

#[test]
fn documents_laid_beside_count() {
    let folder = tempfile::tempdir().unwrap();
    let stub =
        Stub::new(|asked| said(200, &json!({"path": asked.path, "x": asked.query("newer")})));
    let document = json!({
        "name": "compute", "version": "v9", "rootUrl": "https://compute.googleapis.com/", "servicePath": "compute/v9/",
        "resources": {"lamps": {"methods": {"light": {
            "id": "compute.lamps.light", "httpMethod": "POST", "path": "lamps/{lamp}/light",
            "parameters": {
                "lamp": {"type": "string", "location": "path", "required": true},
                "newer": {"type": "boolean", "location": "query"},
            },
            "response": {"$ref": "Lamp"},
        }}}},
        "schemas": {"Lamp": {"type": "object", "properties": {"path": {"type": "string"}}}},
    });
    let path = folder.path().join("compute.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let args = json!({
        "api": "compute", "method": "lamps.light", "parameters": {"lamp": "hall/1", "newer": true},
        "discovery": path, "endpoint_url": stub.url,
    });
    let end = call(&TOKEN, &args);
    let expect = json!({"path": "/compute/v9/lamps/hall%2F1/light", "x": "true"});
    assert_eq!((end.status, &end.reply["result"]), (Status::Changed, &expect), "{end:?}");
    std::fs::write(&path, "{}").unwrap();
    assert!(msg(&call(&TOKEN, &args)).contains("it is no discovery document"));
}
