// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of publish, adopt and reclaim, of a small model of them: one writer that publishes a few snapshots,
// readers that come online, report quiescence, take the snapshot, use it twice and go offline. Steps are single loads and
// stores of what they share, in any order between threads (sequentially consistent; the weaker orders are TSan's and the
// publisher test's business). The model follows publisher.cpp and rte_rcu_qsbr: a token that the writer raises, a counter a
// reader (0: offline). Breaking any rule that the proof rests on must be found, or the model would prove nothing.
#include <array>
#include <cstdint>
#include <deque>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr int kReaders = 3;
constexpr std::uint8_t kPublishes = 3;
constexpr std::uint8_t kRounds = 2;  // of each reader

/// What may be broken, one at a time.
struct Rules {
    bool waits = true;             ///< the writer waits for the grace period before it frees
    bool waits_after_swap = true;  ///< … that begins after the swap, not before
    bool quiescent_first =
        true;  ///< a reader reports quiescence before it takes the snapshot, not while it holds one
    bool offline_releases = true;  ///< a reader goes offline only when it holds nothing
    bool waits_for_all = true;     ///< … for every reader
};

enum Writer : std::uint8_t { w_swap, w_token, w_check, w_free, w_done };
enum Reader : std::uint8_t {
    r_online,
    r_read_token,
    r_quiesce,
    r_take,
    r_use,
    r_use_again,
    r_offline,
    r_done
};

/// All that there is; compared and stored whole.
struct State {
    std::uint8_t current = 0;  ///< snapshot that the pointer names
    std::uint8_t freed = 0;    ///< bit n: snapshot n was freed
    std::uint8_t token = 1;
    std::uint8_t writer = w_swap;
    std::uint8_t published = 0;
    std::uint8_t old = 0;      ///< that the writer is to free
    std::uint8_t wanted = 0;   ///< token that readers must have reached
    std::uint8_t checked = 0;  ///< readers that the writer has passed
    std::array<std::uint8_t, kReaders> reader{};
    std::array<std::uint8_t, kReaders> counter{};  ///< rte_rcu_qsbr: 0 offline
    std::array<std::uint8_t, kReaders> seen{};     ///< the token read, about to be reported
    std::array<std::uint8_t, kReaders> held{};     ///< snapshot in use, + 1; 0 none
    std::array<std::uint8_t, kReaders> rounds{};
    auto operator<=>(const State&) const = default;
};

/// One step of the writer; false: it cannot move now.
bool step_writer(State& s, const Rules& rules) {
    switch (s.writer) {
        case w_swap:
            if (s.published == kPublishes) {
                s.writer = w_done;
                return true;
            }
            if (!rules.waits_after_swap && s.wanted == 0) {  // broken: the wait comes first
                s.wanted = ++s.token;
                s.checked = 0;
                s.writer = w_check;
                return true;
            }
            s.old = s.current;
            s.current = ++s.published;
            s.writer = rules.waits && rules.waits_after_swap ? w_token : w_free;
            return true;
        case w_token:
            s.wanted = ++s.token;
            s.checked = 0;
            s.writer = w_check;
            return true;
        case w_check: {
            const int last = rules.waits_for_all ? kReaders : kReaders - 1;
            if (s.checked == last) {
                s.writer = rules.waits_after_swap ? w_free : w_swap;
                return true;
            }
            const auto counter = s.counter[s.checked];
            if (counter != 0 && counter < s.wanted) {
                return false;
            }
            ++s.checked;
            return true;
        }
        case w_free:
            s.freed = static_cast<std::uint8_t>(s.freed | 1U << s.old);
            s.wanted = 0;
            s.writer = w_swap;
            return true;
        default:
            return false;
    }
}

/// One step of reader `r`; false: it is done. `bad`: it used what was freed.
bool step_reader(State& s, std::size_t r, const Rules& rules, bool& bad) {
    const auto use = [&] { bad = bad || ((s.freed >> (s.held[r] - 1)) & 1U) != 0; };
    switch (s.reader[r]) {
        case r_online:
            s.counter[r] = s.token;
            s.reader[r] = rules.quiescent_first ? r_read_token : r_take;
            return true;
        case r_read_token:
            s.seen[r] = s.token;
            s.reader[r] = r_quiesce;
            return true;
        case r_quiesce:
            s.counter[r] = s.seen[r];
            s.reader[r] = rules.quiescent_first ? r_take : r_use;
            return true;
        case r_take:
            s.held[r] = static_cast<std::uint8_t>(s.current + 1);
            s.reader[r] = rules.quiescent_first ? r_use : r_read_token;
            return true;
        case r_use:
            use();
            s.reader[r] = rules.offline_releases ? r_use_again : r_offline;
            return true;
        case r_use_again:
            use();
            s.held[r] = 0;
            if (!rules.offline_releases) {
                s.reader[r] = r_done;
            } else if (++s.rounds[r] < kRounds) {
                s.reader[r] = rules.quiescent_first ? r_read_token : r_take;
            } else {
                s.reader[r] = r_offline;
            }
            return true;
        case r_offline:
            s.counter[r] = 0;
            s.reader[r] = rules.offline_releases ? r_done : r_use_again;
            return true;
        default:
            return false;
    }
}

struct Search {
    std::size_t states = 0;
    bool use_after_free = false;
    bool stuck = false;   ///< somebody is not done, and nobody can move
    bool leaked = false;  ///< at the end, a snapshot that is not current was not freed
};

Search explore(const Rules& rules) {
    Search found;
    std::set<State> known{State{}};
    std::deque<State> open{State{}};
    const auto visit = [&](const State& next) {
        if (known.insert(next).second) {
            open.push_back(next);
        }
    };
    while (!open.empty()) {
        const State state = open.front();
        open.pop_front();
        bool moved = false;
        bool done = state.writer == w_done;
        State next = state;
        if (step_writer(next, rules)) {
            moved = true;
            visit(next);
        }
        for (std::size_t r = 0; r < kReaders; ++r) {
            next = state;
            if (step_reader(next, r, rules, found.use_after_free)) {
                moved = true;
                visit(next);
            }
            done = done && state.reader[r] == r_done;
        }
        found.stuck = found.stuck || (!moved && !done);
        found.leaked = found.leaked || (!moved && state.freed != (1U << kPublishes) - 1U);
    }
    found.states = known.size();
    return found;
}

TEST(PublisherModel, NoInterleavingUsesWhatWasFreedLeaksOrGetsStuck) {
    const Search found = explore({});
    EXPECT_FALSE(found.use_after_free);
    EXPECT_FALSE(found.stuck);
    EXPECT_FALSE(found.leaked);
    EXPECT_GT(found.states, 10'000U);
    RecordProperty("states", static_cast<int>(found.states));
}

TEST(PublisherModel, WithoutTheGracePeriodAnInterleavingUsesWhatWasFreed) {
    EXPECT_TRUE(explore({.waits = false}).use_after_free);
}

TEST(PublisherModel, EveryRuleIsNeeded) {
    EXPECT_TRUE(explore({.waits_after_swap = false}).use_after_free);
    EXPECT_TRUE(explore({.quiescent_first = false}).use_after_free);
    EXPECT_TRUE(explore({.offline_releases = false}).use_after_free);
    EXPECT_TRUE(explore({.waits_for_all = false}).use_after_free);
}

}  // namespace
}  // namespace weir::dataplane
