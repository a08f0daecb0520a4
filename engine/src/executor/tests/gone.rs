//! The cluster is deleted in Azure: whatever was going on, a person is told.

use super::*;
use crate::{
    Setting, Stance, Unreadable,
    testing::world::{Answer, World},
};

fn gone() -> Unreadable {
    Unreadable::Gone("404 ResourceNotFound: The Resource 'weu-1' was not found.".to_owned())
}

#[test]
fn r9_a_cluster_that_azure_does_not_have_any_more_stops_it_wherever_it_is() {
    let mut story = full("1.34.4");
    story.policy.soak = 20 * MINUTE;
    story.policy.order = pool_soak("linux1", 5 * MINUTE);
    story.policy.upgrade_settings = [(Setting::MaxSurge, "33%")].into();
    let world = || World::at("1.34.2").answers([Answer::Accept, Answer::FailLater(timed_out())]);
    for number in 0.. {
        let world = world();
        let mut is_over = false;
        for _ in 0..number {
            let waiting = world.advance(&story).unwrap().waiting;
            is_over = waiting.is_none();
            world.pass(waiting.map(|waiting| waiting.look_again(world.state().now)).unwrap_or_default());
        }
        if is_over {
            assert!(number > 20, "{number}");
            break;
        }
        world.state().azure = Err(gone());
        world.state().unreachable = true;
        for _ in 0..3 {
            let waiting = world.advance(&story).unwrap().waiting.unwrap();
            assert_eq!((waiting.reason(), waiting.stance()), ("ClusterGone", Stance::Stopped), "{number}");
            assert_eq!(waiting.look_again(world.state().now), 5 * MINUTE);
            for asked in ["workloads", "nodes", "server", "submit"] {
                assert!(!world.state().log.contains(&asked), "{number}: {:?}", world.state().log);
            }
            world.pass(5 * MINUTE);
        }
        assert!(world.state().stored.restore.is_empty(), "its settings went with it");
        assert_eq!(world.advance(&Request { abandoned: true, ..story.clone() }).unwrap().waiting, None);
    }
}

#[test]
fn a_cluster_that_is_there_again_is_gone_on_with() {
    let world = World::at("1.34.2");
    let request = full("1.34.4");
    world.until(&request, is_operation).unwrap();
    world.state().azure = Err(gone());
    world.until_reason(&request, "ClusterGone");
    world.state().azure = Ok(());
    world.finish(&request);
    world.state().assert_nothing_twice();
}
