// SPDX-License-Identifier: BSD-3-Clause
// Each guardrail through a whole control plane: rolled back by itself, told everywhere, and barred.
#include "server_fixture.h"

#include <functional>
#include <sstream>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace weir::control::test {
namespace {

/// What a worker would count for a canary in the first slot: its own blocks, and the active model's.
struct Counts {
    dataplane::ModelOutcomes& outcomes;
    dataplane::PairBlock& pairs;
    dataplane::VerdictBlock& classes;
    dataplane::VerdictBlock& active_classes;
};

struct Rail {
    const char* name;
    std::function<void(config::Guardrails&)> limit;
    std::function<void(Counts)> harm;  ///< of 1,000 rows
};

class Guardrails : public ServerTest, public testing::WithParamInterface<Rail> {
  protected:
    grpc::Status canary(bool override_bar = false) {
        v1::StageModelRequest request;
        request.set_slot("anomaly");
        request.set_name("scan-detector");
        request.set_stage(v1::MODEL_STAGE_CANARY);
        request.set_canary_permyriad(500);
        request.set_override_bar(override_bar);
        v1::ActivateModelReply reply;
        return connect()->StageModel(context().get(), request, &reply);
    }
    /// The canary does harm between one status and the next, until the gateway tells of a breach.
    v1::Slot until_broken(const Counts& counts) {
        v1::WatchStatusRequest request;
        request.set_interval_ms(100);
        const auto stub = connect();
        const auto ctx = context();
        const auto reader = stub->WatchStatus(ctx.get(), request);
        v1::Status status;
        while (reader->Read(&status) && status.slots(0).breaches() == 0) {
            counts.outcomes.rows.add(1000);
            GetParam().harm(counts);
        }
        ctx->TryCancel();
        return status.slots(0);
    }
};

TEST_P(Guardrails, ABreachRollsBackIsToldEverywhereAndBars) {
    config_.slots[0].guardrails.min_rows = 1000;
    GetParam().limit(config_.slots[0].guardrails);
    std::ostringstream log;
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
    spdlog::default_logger()->sinks().push_back(sink);
    start();
    ASSERT_TRUE(push(make_bundle({.version = 2}, operator_key())).ok());
    ASSERT_TRUE(canary().ok());
    const auto& slot = runtime_.publisher().current().slots.at(0);
    ASSERT_EQ(slot.trials.size(), 1U);
    auto& stats = runtime_.stats(0).slots[0];
    const auto told = until_broken(
        {stats.outcomes[slot.trials[0].verdict_block],
         stats.pairs[slot.trials[0].pair_block],
         stats.verdicts[slot.trials[0].verdict_block],
         stats.verdicts[slot.verdict_block]});
    const std::string why = std::string("scan-detector@2: ") + GetParam().name + ": ";
    EXPECT_EQ(told.breaches(), 1U) << "once, however long the harm went on";
    EXPECT_TRUE(told.last_breach().starts_with(why)) << told.last_breach();
    EXPECT_EQ(told.trials_size(), 0) << "rolled back";
    EXPECT_EQ(told.active().name(), "weir-anomaly");
    const auto again = canary();
    EXPECT_EQ(again.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << again.error_message();
    EXPECT_NE(again.error_message().find(GetParam().name), std::string::npos);
    EXPECT_TRUE(canary(true).ok()) << "an admin may";
    plane_.reset();  // nobody writes to the log any more
    std::erase(spdlog::default_logger()->sinks(), sink);
    EXPECT_NE(log.str().find("guardrail: slot anomaly: " + why), std::string::npos) << log.str();
    const auto lines = dir_.audit_lines();
    EXPECT_EQ(
        std::count_if(
            lines.begin(),
            lines.end(),
            [&](const std::string& text) {
                const auto line = nlohmann::json::parse(text);
                return line["action"] == "guardrail" && line["via"] == "guardrail" &&
                       line["from"] == "scan-detector@2" && line["result"] == "ok" &&
                       line["reason"].get<std::string>().starts_with(GetParam().name);
            }),
        1);
}

// Added time is judged against bursts from before the model came, which only Guard's own test can time.
INSTANTIATE_TEST_SUITE_P(
    Each,
    Guardrails,
    testing::Values(
        Rail{
            "max_alarm_rate",
            [](auto& rails) { rails.max_alarm_rate = 0.1; },
            [](Counts c) { c.outcomes.alarms.add(200); }},
        Rail{
            "max_drop_share",
            [](auto& rails) { rails.max_drop_share = 0.1; },
            [](Counts c) {
                c.outcomes.packets.add(1000);
                c.outcomes.packets_dropped.add(200);
            }},
        Rail{
            "max_class_shift",
            [](auto& rails) { rails.max_class_shift = 0.5; },
            [](Counts c) {
                c.active_classes[0].add(1000);
                c.classes[1].add(1000);
            }},
        Rail{
            "max_disagreement",
            [](auto& rails) { rails.max_disagreement = 0.1; },
            [](Counts c) {
                c.pairs[0][0].add(800);
                c.pairs[0][1].add(200);
            }},
        Rail{
            "max_saturation",
            [](auto& rails) { rails.max_saturation = 0.9; },
            [](Counts c) { c.outcomes.saturated.add(1000); }}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace weir::control::test
