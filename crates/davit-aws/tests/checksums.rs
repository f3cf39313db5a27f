//! Checksums are those of botocore, and so is which of them requests and answers have.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use davit_aws::{
    checksum::{self, Algorithm, Place, RequestSettings, When},
    http::{Headers, Request, Response},
    model::{Operation, Service, Store},
    value::Value,
};
use serde_json::{Value as Json, json};

use crate::{
    python::Python,
    random::{Dice, ours, theirs},
};

#[test]
fn checksums_are_those_of_botocore() {
    let mut python = Python::start("signatures.py");
    for length in [0, 1, 3, 16, 100, 240, 241, 1024, 65_537, 2_500_000] {
        let mut dice = Dice(length as u64);
        let body: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
        let answer = python.ask(&json!({ "do": "sums", "body": STANDARD.encode(&body) }));
        assert_eq!(answer["sums"].as_object().expect("names").len(), Algorithm::ALL.len());
        for algorithm in Algorithm::ALL {
            let name = algorithm.name().to_lowercase();
            let mut hasher = algorithm.hasher();
            for piece in body.chunks(97_531) {
                hasher.update(piece);
            }
            assert_eq!(hasher.finish(), answer["sums"][&name], "{name} of {length} bytes");
            if let Some(expected) = answer["combined"].get(&name) {
                let (first, second) = body.split_at(length / 3);
                let parts = [first, second].map(|it| (algorithm.of_bytes(it), it.len() as u64));
                let parts = parts.iter().map(|(value, length)| (value.as_str(), *length));
                let combined = checksum::combine(algorithm, parts).expect("a CRC");
                assert_eq!(combined, *expected, "{name} of {length} bytes");
            }
        }
        assert_eq!(checksum::tree_hash(&body), answer["tree"]);
        assert_eq!(checksum::md5(&body), answer["md5"]);
    }
}

/// Every operation that has a checksum, with every way to ask for one.
#[test]
fn requests_get_the_checksums_that_botocore_gives_them() {
    let mut python = Python::start("signatures.py");
    let store = Store::new(Vec::new());
    let mut dice = Dice(11);
    let mut operations = 0;
    let mut cases = 0;
    for listed in Store::bundled() {
        let service = store.service(listed.name).expect("a model").expect("it is listed");
        for name in service.operation_names() {
            let operation = service.operation(name).expect("it is listed");
            if operation.http_checksum.is_none() && !operation.checksum_required {
                continue;
            }
            operations += 1;
            for round in 0..32 {
                cases += 1;
                check_checksum(&mut python, &mut dice, (service, operation), round);
            }
        }
    }
    assert!(operations >= 72 && cases >= 2304, "{operations} operations, {cases} cases");
}

fn check_checksum(
    python: &mut Python,
    dice: &mut Dice,
    (service, operation): (&Service, &Operation),
    round: usize,
) {
    let when = |it: bool| if it { When::Supported } else { When::Required };
    let name = |it: bool| if it { "when_supported" } else { "when_required" };
    let (calculate, validate) = (round & 1 == 0, round & 2 == 0);
    let (scheme, trailers) = (if round & 4 == 0 { "https" } else { "http" }, round & 24 != 0);
    let mut request = Request { scheme: scheme.to_owned(), ..Request::default() };
    request.body = dice.pick(&["", "body", "{}"]).to_owned().into();
    if dice.coin() {
        request.headers.set("Content-Encoding", "gzip");
    }
    if dice.below(4) == 0 {
        request.headers.set(
            dice.pick(&["x-amz-checksum-crc32c", "X-Amz-Checksum-Type", "x-amz-checksum-a-b"]),
            "x",
        );
    }
    let traits = operation.http_checksum.as_ref();
    let mut input = serde_json::Map::new();
    if let Some(member) = traits.and_then(|it| it.algorithm_member)
        && dice.coin()
    {
        let names = Algorithm::ALL.map(Algorithm::name);
        let asked = if dice.below(6) == 0 { "MD5" } else { names[dice.below(names.len())] };
        input.insert(member.to_owned(), asked.into());
    }
    if let Some(member) = traits.and_then(|it| it.validation_member)
        && dice.below(4) == 0
    {
        input.insert(member.to_owned(), "ENABLED".into());
    }
    let mut answer = Headers::default();
    for algorithm in Algorithm::ALL {
        if dice.below(3) == 0 {
            answer.set(algorithm.header(), dice.pick(&["AAAA", "AAAA-3"]));
        }
    }
    let question = json!({
        "do": "resolve", "service": service.name, "operation": operation.name, "params": input,
        "calculation": name(calculate), "validation": name(validate), "scheme": scheme,
        "trailers": trailers, "headers": request.headers.iter().collect::<Vec<_>>(),
        "body": STANDARD.encode(&request.body),
        "answer": answer.iter().collect::<std::collections::HashMap<_, _>>(),
    });
    let expected = python.ask(&question);
    assert_eq!(expected["streaming"], checksum::takes_stream(service, operation), "{question:#}");
    let Value::Map(mut input) = Value::from(Json::Object(input)) else { panic!("a map") };
    checksum::ask_for_checksum(operation, &mut input, when(validate));
    let input = Value::Map(input);
    let settings = RequestSettings { calculation: when(calculate), trailers };
    let plan = checksum::resolve_request(service, operation, &input, &request, &settings);
    if expected.get("error").is_some() {
        plan.expect_err("botocore does not know it either");
        return;
    }
    assert_eq!(input.to_json(), expected["params"], "{question:#}");
    let plan = plan.expect("an algorithm that is known");
    let mut body = vec![request.body.clone()];
    match plan {
        None => assert_eq!(expected["plan"], Json::Null, "{question:#}"),
        Some(plan) if plan.place == Place::Header => plan.put_header(&mut request),
        Some(plan) => {
            let length = request.body.len() as u64;
            let mut chunked = plan.put_trailer(&mut request, Some(length));
            body.clear();
            chunked.push(request.body.clone(), &mut body).expect("as announced");
            body.push(chunked.finish().expect("as announced"));
            // Ours says how long it is, where botocore does not.
            let length = request.headers.remove("Content-Length").expect("it is known");
            assert_eq!(length, body.iter().map(Bytes::len).sum::<usize>().to_string());
            request.headers.set("Transfer-Encoding", "chunked");
        }
    }
    assert_eq!(ours(&request.headers), theirs(&expected), "{question:#}");
    assert_eq!(STANDARD.encode(body.concat()), expected["body"], "{question:#}");
    let response = Response { headers: answer, ..Response::default() };
    let verifier = checksum::resolve_response(operation, &input, &response.headers);
    let looked_at = verifier.map(|it| it.algorithm().name().to_lowercase());
    assert_eq!(json!(looked_at), expected["looked_at"], "{question:#}");
}
