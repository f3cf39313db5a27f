//! The tests of the whole program, over the real binary. One test a topic of the oracle's corpus.
//!
//! `DAVIT_ORACLE=topic/case` runs one case, `DAVIT_ORACLE_KEEP=1` leaves its working folder,
//! `DAVIT_ORACLE_PROGRAM=path` tests another davit, `DAVIT_ORACLE_SELF=1` the original against
//! itself.

mod cli;
mod compare;

/// One test a topic, and one that sees to it that no folder has been forgotten.
macro_rules! topics {
    ($($topic:ident),* $(,)?) => {
        mod oracle {
            $(
                #[test]
                fn $topic() {
                    crate::compare::topic(stringify!($topic));
                }
            )*

            #[test]
            fn no_topic_is_forgotten() {
                let listed = vec![$(stringify!($topic)),*];
                assert_eq!(crate::compare::topics(), listed, "the folders of tests/oracle, sorted");
            }
        }
    };
}

topics! {
    blocks,
    conditionals,
    config,
    delegation,
    filters,
    handlers,
    hosts,
    includes,
    keywords,
    loops,
    meta,
    modules,
    output,
    play,
    programs,
    roles,
    strategy,
    tags,
    templates,
    vars,
}
