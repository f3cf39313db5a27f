//! Calls one operation as the AWS CLI would and prints what comes: `call SERVICE OPERATION [JSON]`.
#![expect(clippy::print_stdout, reason = "an example that shows what comes")]

use std::{env, error::Error};

use davit_aws::{
    session::{Parts, Session},
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
    let session = Session::new(Parts {
        environment: env::vars().collect(),
        home: env::home_dir(),
        ..Parts::default()
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let called = runtime.block_on(session.client.call(service, operation, params));
    match called {
        Ok(output) => println!("{:#}", Value::Map(output.values).to_json()),
        Err(error) => println!("error: {}", error.chain()),
    }
    Ok(())
}
