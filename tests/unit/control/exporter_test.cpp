// SPDX-License-Identifier: BSD-3-Clause
// Records through queue and thread: bounded, counted, pseudonymous, without a byte of payload.
#include "control/export/exporter.h"

#include "export_fixture.h"

#include <set>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace weir::control::test {
namespace {

using Json = nlohmann::json;

class ExporterTest : public testing::Test {
  protected:
    ExporterTest() { exports_.eve.file = dir_ / "eve.json"; }

    std::unique_ptr<Exporter> start() {
        auto exporter = Exporter::start(exports_, slots(), totals_);
        EXPECT_TRUE(exporter) << (exporter ? "" : exporter.error().line());
        return exporter ? std::move(*exporter) : nullptr;
    }
    std::vector<Json> written() {
        std::vector<Json> out;
        for (const auto& line : lines_of(exports_.eve.file)) {
            out.push_back(Json::parse(line));
        }
        return out;
    }
    ExportCounters& eve() { return totals_[0]; }

    ExportDir dir_;
    config::Export exports_;
    ExportTotals totals_;
};

TEST_F(ExporterTest, AllThatIsQueuedIsWrittenBeforeTheEnd) {
    std::vector<dataplane::FlowRecord> records(1000, make_record());
    decide(records[500], 0, "scan", 50000, 7);
    dataplane::Snapshot snapshot;
    auto model = std::make_shared<dataplane::SlotModel>();
    model->name = "scan-detector";
    model->version = 5;
    model->ref = 7;
    snapshot.slots.push_back({.name = "anomaly", .active = model});
    {
        const auto exporter = start();
        exporter->learn(snapshot);
        exporter->add(records);
    }
    const auto lines = written();
    ASSERT_EQ(lines.size(), 1001U);
    const auto& alert = lines[500];
    EXPECT_EQ(alert["event_type"], "alert");
    EXPECT_EQ(alert["weir"]["verdicts"]["anomaly"]["model"], "scan-detector");
    EXPECT_EQ(alert["weir"]["verdicts"]["anomaly"]["version"], 5);
    EXPECT_EQ(lines[501]["flow_id"], alert["flow_id"]);
    EXPECT_EQ(eve().exported, 1000U);
    EXPECT_EQ(eve().dropped, 0U);
    EXPECT_EQ(eve().failed, 0U);
}

TEST_F(ExporterTest, OnlyWantedTypes) {
    exports_.eve.types = {config::EveEvent::alert};
    auto record = make_record();
    {
        const auto exporter = start();
        exporter->add({&record, 1});
        decide(record, 0, "scan", 50000, 7);
        exporter->add({&record, 1});
        EXPECT_FALSE(exporter->stats_due(1'700'000'000));
    }
    ASSERT_EQ(written().size(), 1U);
    EXPECT_EQ(written()[0]["event_type"], "alert");
}

TEST_F(ExporterTest, WhatTheQueueHasNoRoomForIsCounted) {
    exports_.queue = 16;
    const std::vector<dataplane::FlowRecord> records(100, make_record());
    { start()->add(records); }
    EXPECT_EQ(eve().exported, 16U);
    EXPECT_EQ(eve().dropped, 84U);
    EXPECT_EQ(written().size(), 16U);
}

TEST_F(ExporterTest, ASocketThatNobodyReadsHoldsUpNobody) {
    exports_.eve.filetype = config::EveTarget::unix_stream;
    exports_.queue = 1024;
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(exports_.eve.file.begin(), exports_.eve.file.end(), address.sun_path);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    const std::vector<dataplane::FlowRecord> records(512, make_record());
    std::uint64_t added = 0;
    {
        const auto exporter = start();
        while (eve().dropped == 0) {  // until reader, socket and queue are full
            exporter->add(records);
            added += records.size();
        }
        exporter->add(records);
        added += records.size();
    }
    ::close(fd);
    EXPECT_GT(eve().exported, 0U);
    EXPECT_EQ(eve().exported + eve().dropped + eve().failed, added);
}

TEST_F(ExporterTest, AFileThatAnotherMovedIsOpenedAnew) {
    const auto record = make_record();
    {
        const auto exporter = start();
        exporter->add({&record, 1});
        ASSERT_TRUE(wait_until([this] { return eve().exported == 1U; }));
        std::filesystem::rename(exports_.eve.file, exports_.eve.file + ".1");
        exporter->reopen();
        exporter->add({&record, 1});
    }
    EXPECT_EQ(lines_of(exports_.eve.file + ".1").size(), 1U);
    EXPECT_EQ(lines_of(exports_.eve.file).size(), 1U);
}

TEST_F(ExporterTest, StatsComeWhenTheyAreDue) {
    exports_.eve.stats_s = 10;
    dataplane::WorkerStats stats;
    stats.ports[0].rx_packets.add(5);
    stats.ports[1].tx_packets.add(4);
    stats.drops[0].add(1);
    stats.slots[1].scored.add(2);
    const std::array<const dataplane::WorkerStats*, 2> workers{&stats, &stats};
    {
        const auto exporter = start();
        EXPECT_TRUE(exporter->stats_due(1000));
        EXPECT_FALSE(exporter->stats_due(1009));
        EXPECT_TRUE(exporter->stats_due(1010));
        exporter->add_stats(sample_stats(workers, slots(), 1'010'000'000'000, 10));
    }
    ASSERT_EQ(written().size(), 1U);
    const Json line = written()[0];
    EXPECT_EQ(line["stats"]["decoder"]["pkts"], 10);
    EXPECT_EQ(line["weir"]["sent"], 8);
    EXPECT_EQ(line["weir"]["dropped"][std::string(dataplane::kDropReasonTable[0].name)], 2);
    EXPECT_EQ(line["weir"]["scored"]["qos"], 4);
}

TEST_F(ExporterTest, PseudonymsKeepPrefixesAndTellNoAddress) {
    exports_.pseudonym_key = dir_ / "key";
    std::ofstream(exports_.pseudonym_key) << std::string(32, 'k');
    ASSERT_EQ(::chmod(exports_.pseudonym_key.c_str(), 0600), 0);
    const std::vector<dataplane::FlowRecord> records{
        make_record({"192.0.2.1", 1, "198.51.100.2", 2, 17}),
        make_record({"192.0.2.200", 1, "198.51.100.2", 2, 17})};
    { start()->add(records); }
    const auto lines = written();
    ASSERT_EQ(lines.size(), 2U);
    const auto net = [](const Json& line) {
        const auto text = line["src_ip"].get<std::string>();
        return text.substr(0, text.rfind('.'));
    };
    EXPECT_EQ(net(lines[0]), net(lines[1]));
    EXPECT_NE(lines[0]["src_ip"], lines[1]["src_ip"]);
    EXPECT_EQ(lines[0]["dest_ip"], lines[1]["dest_ip"]);
    for (const auto& line : lines_of(exports_.eve.file)) {
        EXPECT_EQ(line.find("192.0.2."), std::string::npos) << line;
        EXPECT_EQ(line.find("198.51.100."), std::string::npos) << line;
    }
}

TEST_F(ExporterTest, AKeyThatOthersMayReadExportsNothing) {
    exports_.pseudonym_key = dir_ / "key";
    std::ofstream(exports_.pseudonym_key) << std::string(32, 'k');
    ASSERT_EQ(::chmod(exports_.pseudonym_key.c_str(), 0644), 0);
    const auto exporter = Exporter::start(exports_, slots(), totals_);
    ASSERT_FALSE(exporter);
    EXPECT_NE(exporter.error().line().find("chmod 0600"), std::string::npos);
}

// Whatever a record holds, only these keys leave: there is none that could carry payload.
TEST_F(ExporterTest, NoPayloadIsEverExported) {
    auto record = make_record();
    record.dscp = 10;
    record.dropped = true;
    record.key.tunnel_id = 9;
    record.key.vlan = 3;
    decide(record, 0, "scan", 50000, 7);
    decide(record, 1, "telephony", 50000, 9);
    { start()->add({&record, 1}); }
    const std::set<std::string> allowed{
        "timestamp",
        "flow_id",
        "event_type",
        "vlan",
        "src_ip",
        "src_port",
        "dest_ip",
        "dest_port",
        "proto",
        "flow",
        "alert",
        "weir"};
    const std::set<std::string> ours{"verdicts", "dropped", "dscp", "tunnel_id"};
    for (const Json& line : written()) {
        for (const auto& [key, value] : line.items()) {
            EXPECT_EQ(allowed.count(key), 1U) << key;
        }
        for (const auto& [key, value] : line["weir"].items()) {
            EXPECT_EQ(ours.count(key), 1U) << key;
        }
    }
}

}  // namespace
}  // namespace weir::control::test
