//! The tests of the whole program, over the real binary. One test a topic of the oracle's corpus.
//!
//! `DAVIT_ORACLE=topic/case` runs one case, `DAVIT_ORACLE_KEEP=1` leaves its working folder,
//! `DAVIT_ORACLE_PROGRAM=path` tests another davit, `DAVIT_ORACLE_SELF=1` the original against
//! itself. `DAVIT_ORACLE_RECORD=1` only records the original.

mod cli;
mod compare;
mod faults;
mod reach;
mod secrets;

/// One test a topic, and one that sees to it that no folder has been forgotten.
macro_rules! topics {
    ($($topic:ident),* $(,)?) => {
        mod oracle {
            $(
                #[test]
                fn $topic() {
                    crate::compare::topic(stringify!($topic), crate::compare::Kind::Here);
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

/// The same cases by another way to their hosts: some topics always, the whole corpus when it is asked for.
macro_rules! ways {
    ($($name:ident by $kind:ident: $($topic:ident),*;)*) => {
        $(mod $name {
            use crate::compare::{Kind, topic, topics};

            $(
                #[test]
                fn $topic() {
                    topic(stringify!($topic), Kind::$kind);
                }
            )*

            #[test]
            #[ignore = "many minutes of the original: `cargo nextest run --run-ignored only`"]
            fn whole_corpus() {
                topics().iter().for_each(|it| topic(it, Kind::$kind));
            }
        })*
    };
}

ways! {
    oracle_ssh by Ssh: blocks, delegation, hosts, keywords, modules;
    oracle_become by Become: modules;
    oracle_container by Container: modules;
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
