//! Calls one operation with keys from the environment and prints what comes:
//! `call SERVICE OPERATION [JSON]`, with `AWS_REGION` and `AWS_ENDPOINT_URL` where they are set.
#![expect(clippy::print_stdout, reason = "an example that shows what comes")]

use std::{env, error::Error, sync::Arc};

use davit_aws::{
    client::{Client, Options},
    credentials::Credentials,
    value::{Map, Value},
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [service, operation, rest @ ..] = arguments.as_slice() else {
        return Err("call SERVICE OPERATION [JSON]".into());
    };
    let params = match rest.first() {
        Some(json) => serde_json::from_str::<serde_json::Value>(json)?.into(),
        None => Value::Map(Map::new()),
    };
    let Value::Map(params) = params else { return Err("the parameters are a JSON object".into()) };
    let credentials = Credentials {
        access_key_id: env::var("AWS_ACCESS_KEY_ID")?,
        secret_access_key: env::var("AWS_SECRET_ACCESS_KEY")?,
        session_token: env::var("AWS_SESSION_TOKEN").ok(),
        expires: None,
        account_id: None,
        source: "environment".to_owned(),
    };
    let mut options = Options::new(Arc::new(credentials));
    options.endpoint.region = env::var("AWS_REGION").ok();
    options.endpoint.endpoint_url = env::var("AWS_ENDPOINT_URL").ok();
    let client = Client::new(options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let output = runtime.block_on(client.call(service, operation, params))?;
    println!("{:#}", Value::Map(output.values).to_json());
    Ok(())
}
