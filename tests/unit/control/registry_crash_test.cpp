// SPDX-License-Identifier: BSD-3-Clause
// A process killed at every step of every change comes up with the state before it until the state file has its new name,
// and with the one after it from then on.
#include "registry_fixture.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <set>

#include <sys/wait.h>

#include <unistd.h>

namespace weir::control::test {
namespace {

const ModelKey kOne{"anomaly", "scan-detector", 1};
const ModelKey kTwo{"anomaly", "scan-detector", 2};

class CrashTest : public RegistryTest {
  protected:
    /// What a restart must bring back, as one line.
    [[nodiscard]] std::string state() const {
        std::string text = "active " + in_snapshot(0) + ";";
        for (const auto& trial : runtime_->publisher().current().slots.at(0).trials) {
            text += " " + trial.model->name + "@" + std::to_string(trial.model->version);
        }
        text += " share " +
                std::to_string(runtime_->publisher().current().slots.at(0).share.below) + ";";
        const auto models = registry_->list("anomaly");
        for (const auto& model : *models) {
            text += " " + model.key.label() + "=" + std::to_string(static_cast<int>(model.stage)) +
                    (model.barred.empty() ? "" : "!");
        }
        return text;
    }

    /// The lifecycle, a change at a time. False: there is no such step.
    bool change(std::size_t step) {
        const auto done = [](const auto& outcome) {
            EXPECT_TRUE(outcome) << outcome.error().error.line();
            return true;
        };
        switch (step) {
            case 0:
                return done(push({.version = 1}));
            case 1:
                return done(registry_->stage({kOne, Stage::shadow, 0, false}, actor_));
            case 2:
                return done(registry_->stage({kOne, Stage::canary, 500, false}, actor_));
            case 3:
                return done(registry_->activate(kOne, actor_));
            case 4:
                return done(push({.version = 2}, {.activate = true}));
            case 5:
                return done(registry_->breach(kTwo, "alarms"));
            case 6:
                return done(registry_->rollback("anomaly", actor_));
            case 7:
                return done(registry_->remove(kTwo, actor_));
            default:
                return false;
        }
    }

    /// In a child: the change `step`, killed when it has passed `fatal` points. True if it was killed.
    bool killed_at(std::size_t step, int fatal) {
        const pid_t child = ::fork();
        if (child == 0) {
            int passed = 0;
            bool armed = false;  // starting passes points, too: only the change's count
            at_ = [&](std::string_view) {
                if (armed && passed++ == fatal) {
                    (void)::kill(::getpid(), SIGKILL);
                }
            };
            const auto started = try_start();
            armed = true;
            if (started) {
                change(step);
            }
            std::_Exit(started && !HasFailure() ? 0 : 1);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        EXPECT_TRUE(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
        return killed;
    }
};

TEST_F(CrashTest, KilledAtEveryPointOfEveryChangeTheStateIsExactlyTheOneBeforeOrAfter) {
    namespace fs = std::filesystem;
    start();
    std::set<std::string> all_points;
    for (std::size_t step = 0; step < 8; ++step) {
        const std::string before = state();
        const std::string saved = dir_ / "saved";
        fs::remove_all(saved);
        fs::copy(dir_ / "state", saved, fs::copy_options::recursive);
        std::vector<std::string> points;  // the marked ones that this change passes, in order
        at_ = [&points](std::string_view point) { points.emplace_back(point); };
        start();
        points.clear();
        ASSERT_TRUE(change(step));
        at_ = {};
        all_points.insert(points.begin(), points.end());
        const auto decides = std::find(points.begin(), points.end(), "state.renamed");
        ASSERT_NE(decides, points.end()) << "step " << step;
        const std::string after = state();
        ASSERT_NE(before, after) << "step " << step;
        const std::string final_state = dir_ / "final";
        fs::remove_all(final_state);
        fs::copy(dir_ / "state", final_state, fs::copy_options::recursive);
        registry_.reset();
        for (int fatal = 0;; ++fatal) {
            fs::remove_all(dir_ / "state");
            fs::copy(saved, dir_ / "state", fs::copy_options::recursive);
            const bool killed = killed_at(step, fatal);
            start();
            const std::string found = state();
            if (!killed) {
                EXPECT_EQ(fatal, static_cast<int>(points.size())) << "killed at each point";
                EXPECT_EQ(found, after) << "an acknowledged change is there, step " << step;
                break;
            }
            ASSERT_LT(fatal, static_cast<int>(points.size()));
            const bool done = points.begin() + fatal >= decides;
            EXPECT_EQ(found, done ? after : before)
                << "step " << step << ", killed at " << points[static_cast<std::size_t>(fatal)];
        }
        fs::remove_all(dir_ / "state");
        fs::copy(final_state, dir_ / "state", fs::copy_options::recursive);
        start();
        ASSERT_EQ(state(), after);
    }
    const std::set<std::string> marked{
        "bundle.written",
        "bundle.synced",
        "bundle.renamed",
        "bundle.durable",
        "state.written",
        "state.synced",
        "state.renamed",
        "state.durable",
        "publish",
        "published",
        "audited"};
    EXPECT_EQ(all_points, marked) << "every mark of the store and of the registry was met";
}

}  // namespace
}  // namespace weir::control::test
