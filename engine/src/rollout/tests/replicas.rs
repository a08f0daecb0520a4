//! Two processes that both believe to lead, interleaved at every call, while clusters work, stop and
//! are mended, and people suspend, resume and edit the plan. The world judges every write.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Waker},
};

use proptest::prelude::*;

use super::world::{Conflict, Progress, World};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// One of the replicas comes to its next call.
    First,
    Second,
    Tick,
    Suspend(bool),
    Edit,
    Stop(&'static str),
    Repair,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        20 => Just(Move::First),
        20 => Just(Move::Second),
        6 => Just(Move::Tick),
        1 => any::<bool>().prop_map(Move::Suspend),
        1 => Just(Move::Edit),
        1 => prop_oneof![Just("a"), Just("c")].prop_map(Move::Stop),
        1 => Just(Move::Repair),
    ];
    // Some run on for a while, so that the other's knowledge grows old.
    prop::collection::vec((one, 1..12_usize), 0..80).prop_map(|runs| {
        let repeats = |next: Move, times: usize| match next {
            Move::First | Move::Second => times,
            Move::Tick | Move::Suspend(_) | Move::Edit | Move::Stop(_) | Move::Repair => 1,
        };
        runs.into_iter().flat_map(|(next, times)| std::iter::repeat_n(next, repeats(next, times))).collect()
    })
}

type Run<'a> = Pin<Box<dyn Future<Output = Result<Progress, Conflict>> + 'a>>;

/// Goes on with a run, or begins one; forgets it when it has ended.
fn go_on<'a>(world: &'a World, run: &mut Option<Run<'a>>) {
    let going = run.get_or_insert_with(|| Box::pin(world.reconcile_as(true)));
    if going.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
        *run = None;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn two_replicas_never_do_more_than_one_would(moves in moves()) {
        let world = World::new();
        let (mut first, mut second) = (None, None);
        for next in moves {
            match next {
                Move::First => go_on(&world, &mut first),
                Move::Second => go_on(&world, &mut second),
                Move::Tick => world.tick(),
                Move::Suspend(suspend) => world.suspend(suspend),
                Move::Edit => world.edit(),
                Move::Stop(cluster) => world.stop(cluster),
                Move::Repair => world.repair(),
            }
        }
        // One of them is gone, the other's old knowledge does no harm.
        drop(first);
        world.repair();
        world.suspend(false);
        for _ in 0..200 {
            go_on(&world, &mut second);
        }
        drop(second);
        world.settle();
        prop_assert_eq!(world.upgrades().len(), 5);
    }
}
