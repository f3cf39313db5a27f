//! Waits for futures where nothing else can: in templates, and while inventories are read. A runtime of
//! its own drives them, so that whoever waits holds up nobody that the answer depends on.

use std::future::Future;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

/// A runtime that is started when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Bridge(Mutex<Option<Runtime>>);

impl Bridge {
    /// What the future comes to. Blocks the thread until then.
    ///
    /// # Errors
    /// Where threads cannot be had, or the future panicked.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, String> {
        let (tell, told) = mpsc::channel();
        self.handle()?.spawn(async move {
            // Who no longer waits does not mind.
            let _ = tell.send(future.await);
        });
        let wait = || told.recv().map_err(|_| "asking broke off".to_owned());
        match Handle::try_current().map(|it| it.runtime_flavor()) {
            // What else runs on this thread goes on elsewhere.
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
            _ => wait(),
        }
    }

    fn handle(&self) -> Result<Handle, String> {
        let mut runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let started = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("davit-ask")
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start: {error}"))?;
        Ok(runtime.insert(started).handle().clone())
    }
}

/// The last one who has it may be in a runtime himself, where nobody may wait for another to end.
impl Drop for Bridge {
    fn drop(&mut self) {
        let runtime = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// Each waits on a thread of the runtime that called it, all at once.
    #[test]
    fn many_can_wait_on_few_threads() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let bridge = Arc::new(Bridge::default());
        let sum = runtime.block_on(async {
            let tasks: Vec<_> = (0..20)
                .map(|number| {
                    let bridge = Arc::clone(&bridge);
                    tokio::spawn(async move {
                        bridge.wait(async move {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            number
                        })
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap().unwrap();
            }
            sum
        });
        assert_eq!(sum, 190);
    }

    #[test]
    fn a_panic_is_told_and_the_next_question_answered() {
        let bridge = Bridge::default();
        let broken = bridge.wait(async { assert!(std::env::args().count() == 0, "on purpose") });
        assert_eq!(broken, Err("asking broke off".to_owned()));
        assert_eq!(bridge.wait(async { 1 }), Ok(1));
    }

    #[test]
    fn it_may_be_dropped_where_nobody_may_block() {
        let bridge = Bridge::default();
        assert_eq!(bridge.wait(async { 1 }), Ok(1));
        Builder::new_current_thread().build().unwrap().block_on(async move { drop(bridge) });
    }
}
