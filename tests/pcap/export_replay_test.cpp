// SPDX-License-Identifier: BSD-3-Clause
// Real captures through the worker and out as EVE: every flow record is there, with its counters, its addresses replaced
// one to one and prefixes kept, and none of the captures' payload.
#include "config/load.h"
#include "control/export/exporter.h"
#include "dataplane/replay.h"
#include "tests/support/corpus.h"
#include "tests/support/models.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::control {
namespace {

using dataplane::FlowRecord;
using Json = nlohmann::json;

class ExportReplay : public testing::Test {
  protected:
    ExportReplay() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-export-XXXXXX").string();
        dir_ = ::mkdtemp(name.data()) == nullptr ? "" : name;
        config_ = config::defaults();
        config_.workers.flow_table.capacity = 1U << 14;
        for (const auto& slot : config_.slots) {
            slots_.push_back(slot.name);
            models_.push_back(weir::test::random_model(
                slot.name,
                {"benign", "one", "two", "three"},
                static_cast<std::uint32_t>(models_.size() + 1),
                static_cast<std::uint16_t>(models_.size() + 1)));
        }
    }
    ~ExportReplay() override {
        std::error_code error;
        std::filesystem::remove_all(dir_, error);
    }

    std::vector<FlowRecord> records_of(const std::string& capture) {
        std::vector<FlowRecord> records;
        dataplane::ReplayOptions options;
        options.in = capture;
        options.config = config_;
        options.models = models_;
        options.on_flow = [&](const FlowRecord& record) { records.push_back(record); };
        const auto result = dataplane::replay(options);
        EXPECT_TRUE(result) << capture;
        return records;
    }

    std::vector<std::string> exported(const std::vector<FlowRecord>& records) {
        config::Export exports;
        exports.eve.file = dir_ + "/eve.json";
        exports.eve.types = {config::EveEvent::flow};
        exports.queue = 1U << 20;
        exports.pseudonym_key = dir_ + "/key";
        std::ofstream(exports.pseudonym_key) << std::string(32, 'k');
        EXPECT_EQ(::chmod(exports.pseudonym_key.c_str(), 0600), 0);
        std::filesystem::remove(exports.eve.file);
        ExportTotals totals;
        {
            auto exporter = Exporter::start(exports, slots_, totals);
            EXPECT_TRUE(exporter);
            dataplane::Snapshot snapshot;
            for (std::size_t s = 0; s < slots_.size(); ++s) {
                snapshot.slots.push_back({.name = slots_[s], .active = models_[s]});
            }
            (*exporter)->learn(snapshot);
            for (std::span<const FlowRecord> rest(records); !rest.empty();) {
                const auto some = rest.first(std::min<std::size_t>(rest.size(), 1024));
                (*exporter)->add(some);
                rest = rest.subspan(some.size());
                while (totals[0].exported + rest.size() + totals[0].failed < records.size()) {
                    std::this_thread::yield();  // the farewell is bounded, this is not
                }
            }
        }
        EXPECT_EQ(totals[0].failed, 0U);
        EXPECT_EQ(totals[0].exported, records.size());
        std::vector<std::string> lines;
        std::ifstream file(exports.eve.file);
        for (std::string line; std::getline(file, line);) {
            lines.push_back(line);
        }
        return lines;
    }

    void compare(const FlowRecord& record, const Json& line) {
        const EventNames names{slots_, {}};
        const auto plain = make_event(record, names, nullptr);
        ASSERT_TRUE(plain);
        EXPECT_EQ(line["flow"]["pkts_toserver"], record.packets[0]);
        EXPECT_EQ(line["flow"]["pkts_toclient"], record.packets[1]);
        EXPECT_EQ(line["flow"]["bytes_toserver"], record.bytes[0]);
        EXPECT_EQ(line["flow"]["bytes_toclient"], record.bytes[1]);
        for (const auto& [address, key] :
             {std::pair(plain->source, "src_ip"), std::pair(plain->destination, "dest_ip")}) {
            const auto text = event_address(address, plain->ip_version);
            const auto hidden = line[key].get<std::string>();
            const auto known = hidden_.emplace(text, hidden).first->second;
            EXPECT_EQ(known, hidden) << "one address, two pseudonyms";
            const auto shown = plain_.emplace(hidden, text).first->second;
            EXPECT_EQ(shown, text) << "one pseudonym, two addresses";
        }
        for (std::size_t s = 0; s < slots_.size(); ++s) {
            const auto& verdict = record.verdicts[s];
            const Json& verdicts = line["weir"]["verdicts"];
            ASSERT_EQ(verdicts.contains(slots_[s]), verdict.cls != dataplane::kNoClass);
            if (verdict.cls != dataplane::kNoClass) {
                EXPECT_EQ(
                    verdicts[slots_[s]]["class"], dataplane::class_name(slots_[s], verdict.cls));
                EXPECT_EQ(verdicts[slots_[s]]["model"], models_[s]->name);
            }
        }
    }

    std::string dir_;
    config::Config config_;
    std::vector<std::string> slots_;
    std::vector<std::shared_ptr<const dataplane::SlotModel>> models_;
    std::map<std::string, std::string> hidden_;
    std::map<std::string, std::string> plain_;
};

TEST_F(ExportReplay, EveryFlowOfTheCorpusUnderPseudonyms) {
    const auto captures = weir::test::corpus_captures();
    if (captures.empty()) {
        GTEST_SKIP() << "skipped: no corpus";
    }
    std::size_t flows = 0;
    for (const auto& capture : captures) {
        if (std::filesystem::file_size(capture) > (1U << 20)) {
            continue;  // what they would add is time
        }
        SCOPED_TRACE(capture);
        const auto records = records_of(capture);
        const auto lines = exported(records);
        ASSERT_EQ(lines.size(), records.size());
        for (std::size_t i = 0; i < lines.size(); ++i) {
            compare(records[i], Json::parse(lines[i]));
            ASSERT_FALSE(HasFailure()) << lines[i];
        }
        flows += records.size();
    }
    std::printf("%zu flows, %zu addresses\n", flows, hidden_.size());
    EXPECT_GT(flows, 100U);
}

}  // namespace
}  // namespace weir::control
