// SPDX-License-Identifier: BSD-3-Clause
// EVE lines against the fields and types of Suricata's published schema, written down by hand, and the files and sockets
// that they go to.
#include "control/export/eve.h"
#include "control/export/line_sink.h"
#include "export_fixture.h"

#include <map>
#include <regex>

#include <sys/socket.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace weir::control::test {
namespace {

using Json = nlohmann::json;

/// Of etc/schema.json: the keys of an object that Suricata knows, and their types. Additional keys are an error there.
const std::map<std::string, std::map<std::string, std::string>> kSchema{
    {"",
     {{"timestamp", "string"},
      {"flow_id", "integer"},
      {"event_type", "string"},
      {"vlan", "array"},
      {"src_ip", "string"},
      {"src_port", "integer"},
      {"dest_ip", "string"},
      {"dest_port", "integer"},
      {"proto", "string"},
      {"flow", "object"},
      {"alert", "object"},
      {"stats", "object"}}},
    {"flow",
     {{"pkts_toserver", "integer"},
      {"pkts_toclient", "integer"},
      {"bytes_toserver", "integer"},
      {"bytes_toclient", "integer"},
      {"start", "string"},
      {"end", "string"},
      {"age", "integer"},
      {"state", "string"},
      {"reason", "string"},
      {"alerted", "boolean"},
      {"action", "string"}}},
    {"alert",
     {{"action", "string"},
      {"gid", "integer"},
      {"signature_id", "integer"},
      {"rev", "integer"},
      {"signature", "string"},
      {"category", "string"},
      {"severity", "integer"}}},
    {"stats", {{"uptime", "integer"}, {"decoder", "object"}}},
    {"decoder", {{"pkts", "integer"}, {"bytes", "integer"}, {"invalid", "integer"}}}};

std::string type_of(const Json& value) {
    return value.is_number_integer() ? "integer" : value.type_name();
}

void check_schema(const Json& object, const std::string& name) {
    const auto& known = kSchema.at(name);
    for (const auto& [key, value] : object.items()) {
        if (name.empty() && key == "weir") {
            EXPECT_TRUE(value.is_object());
            continue;
        }
        ASSERT_TRUE(known.count(key) == 1) << name << "." << key;
        EXPECT_EQ(type_of(value), known.at(key)) << name << "." << key;
        if (value.is_object()) {
            check_schema(value, key);
        }
    }
    static const std::regex time(R"(^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+[+\-]\d+$)");
    for (const char* key : {"timestamp", "start", "end"}) {
        if (object.contains(key)) {
            EXPECT_TRUE(std::regex_match(object[key].get<std::string>(), time)) << object[key];
        }
    }
}

Json parsed(const std::string& line) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    Json out = Json::parse(line);
    check_schema(out, "");
    EXPECT_TRUE(out.contains("timestamp") && out.contains("event_type"));
    return out;
}

FlowEvent event_of(const dataplane::FlowRecord& record) {
    return *make_event(record, names(), nullptr);
}

TEST(Eve, AFlow) {
    auto record = make_record();
    record.dscp = 46;
    record.end = dataplane::FlowEnd::closed;
    decide(record, 1, "telephony", 65535, 9);
    const Json line = parsed(eve_flow(event_of(record)));
    EXPECT_EQ(line["event_type"], "flow");
    EXPECT_EQ(line["timestamp"], "2023-11-14T22:13:22.623456+0000");
    EXPECT_EQ(line["src_ip"], "192.0.2.1");
    EXPECT_EQ(line["src_port"], 40000);
    EXPECT_EQ(line["dest_ip"], "198.51.100.2");
    EXPECT_EQ(line["dest_port"], 443);
    EXPECT_EQ(line["proto"], "TCP");
    EXPECT_LT(line["flow_id"].get<std::uint64_t>(), std::uint64_t{1} << 53);
    const Json& flow = line["flow"];
    EXPECT_EQ(flow["pkts_toserver"], 10);
    EXPECT_EQ(flow["pkts_toclient"], 8);
    EXPECT_EQ(flow["bytes_toserver"], 1234);
    EXPECT_EQ(flow["bytes_toclient"], 5678);
    EXPECT_EQ(flow["start"], "2023-11-14T22:13:20.123456+0000");
    EXPECT_EQ(flow["end"], line["timestamp"]);
    EXPECT_EQ(flow["age"], 2);
    EXPECT_EQ(flow["state"], "closed");
    EXPECT_EQ(flow["alerted"], false);
    const Json& verdict = line["weir"]["verdicts"]["qos"];
    EXPECT_EQ(verdict["class"], "telephony");
    EXPECT_EQ(verdict["score"], 1.0);
    EXPECT_EQ(verdict["model"], "weir-qos");
    EXPECT_EQ(verdict["version"], 12);
    EXPECT_EQ(verdict["decided_at_packet"], 4);
    EXPECT_FALSE(line["weir"]["verdicts"].contains("anomaly"));
    EXPECT_EQ(line["weir"]["dscp"], 46);
}

TEST(Eve, TheInitiatorIsTheSourceWhicheverEndComesFirstInTheKey) {
    const Json line =
        parsed(eve_flow(event_of(make_record({"2001:db8::9", 5060, "2001:db8::1", 5061, 17}))));
    EXPECT_EQ(line["src_ip"], "2001:db8::9");
    EXPECT_EQ(line["src_port"], 5060);
    EXPECT_EQ(line["dest_ip"], "2001:db8::1");
    EXPECT_EQ(line["proto"], "UDP");
}

TEST(Eve, AnAlertIsTheSameFlow) {
    auto record = make_record();
    record.dropped = true;
    decide(record, 0, "syn_flood", 60000, 7);
    const FlowEvent event = event_of(record);
    const Json alert = parsed(eve_alert(event));
    const Json flow = parsed(eve_flow(event));
    EXPECT_EQ(alert["flow_id"], flow["flow_id"]);
    EXPECT_EQ(flow["flow"]["alerted"], true);
    EXPECT_EQ(flow["flow"]["action"], "drop");
    EXPECT_EQ(alert["alert"]["action"], "blocked");
    EXPECT_EQ(alert["alert"]["signature"], "WEIR anomaly syn_flood");
    EXPECT_EQ(alert["alert"]["category"], "syn_flood");
    EXPECT_EQ(alert["alert"]["rev"], 3);
    EXPECT_EQ(alert["alert"]["severity"], 1);
    const int id = alert["alert"]["signature_id"];
    EXPECT_TRUE(id >= 1'000'000 && id < 2'000'000) << id;
}

TEST(Eve, BenignIsNoAlarm) {
    auto record = make_record();
    decide(record, 0, "benign", 100, 7);
    decide(record, 1, "standard", 65535, 9);
    EXPECT_EQ(event_of(record).alarm(), nullptr);
}

TEST(Eve, EndsAndStatesAreSuricatas) {
    auto record = make_record();
    record.packets[1] = 0;
    for (const auto& [end, reason] : std::map<dataplane::FlowEnd, std::string>{
             {dataplane::FlowEnd::idle, "timeout"},
             {dataplane::FlowEnd::evicted, "forced"},
             {dataplane::FlowEnd::shutdown, "shutdown"}}) {
        record.end = end;
        const Json line = parsed(eve_flow(event_of(record)));
        EXPECT_EQ(line["flow"]["reason"], reason);
        EXPECT_EQ(line["flow"]["state"], "new");
    }
}

TEST(Eve, ProtocolsWithoutPortsHaveNone) {
    auto record = make_record({"192.0.2.1", 77, "192.0.2.2", 77, 1});
    record.key.vlan = 5;
    record.key.inner_vlan = 6;
    const Json line = parsed(eve_flow(event_of(record)));
    EXPECT_FALSE(line.contains("src_port"));
    EXPECT_EQ(line["proto"], "ICMP");
    EXPECT_EQ(line["vlan"], (Json{5, 6}));
    record.key.proto = 89;
    EXPECT_EQ(parsed(eve_flow(event_of(record)))["proto"], "089");
}

TEST(Eve, Stats) {
    StatsSample sample;
    sample.unix_ns = 1'700'000'000'000'000'000;
    sample.uptime_s = 12;
    sample.packets = 100;
    sample.drops["policy"] = 3;
    const Json line = parsed(eve_stats(sample));
    EXPECT_EQ(line["event_type"], "stats");
    EXPECT_EQ(line["stats"]["uptime"], 12);
    EXPECT_EQ(line["stats"]["decoder"]["pkts"], 100);
    EXPECT_EQ(line["weir"]["dropped"]["policy"], 3);
}

TEST(Eve, NamesAreEscapedAndAlwaysUtf8) {
    FlowEvent event = event_of(make_record());
    event.verdicts[0].cls = "a\"b\\\n\xff";
    event.verdicts[0].alarm = true;
    const Json line = parsed(eve_alert(event));
    EXPECT_EQ(line["alert"]["category"], "a\"b\\\n\xef\xbf\xbd");
}

// ---- files and sockets ----------------------------------------------------------------------------------------------

class Sink : public testing::Test {
  protected:
    std::unique_ptr<LineSink> open(config::Eve eve) {
        eve.file = path_;
        auto sink = LineSink::open(eve);
        EXPECT_TRUE(sink) << (sink ? "" : sink.error().line());
        return sink ? std::move(*sink) : nullptr;
    }
    int listener(int type) {
        const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::copy(path_.begin(), path_.end(), address.sun_path);
        EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        EXPECT_TRUE(type == SOCK_DGRAM || ::listen(fd, 1) == 0);
        return fd;
    }
    ExportDir dir_;
    std::string path_ = dir_ / "eve.json";
    LineSink::Clock::time_point now_ = LineSink::Clock::now();
};

TEST_F(Sink, AFileIsAppendedTo) {
    { EXPECT_TRUE(open({})->write("one", now_)); }
    { EXPECT_TRUE(open({})->write("two", now_)); }
    EXPECT_EQ(lines_of(path_), (std::vector<std::string>{"one", "two"}));
}

TEST_F(Sink, RotatesBySizeAndKeepsSoMany) {
    const auto sink = open({.rotate_mb = 1, .keep = 2});
    const std::string line(300'000, 'x');
    for (int i = 0; i < 20; ++i, now_ += std::chrono::seconds(2)) {
        ASSERT_TRUE(sink->write(std::to_string(i) + line, now_));
    }
    EXPECT_EQ(
        sink->rotations(),
        4U);  // 4 lines a file, as the one that passes the limit is still written
    EXPECT_EQ(lines_of(path_).front().substr(0, 2), "16");
    EXPECT_EQ(lines_of(path_ + ".1").front().substr(0, 2), "12");
    EXPECT_EQ(lines_of(path_ + ".2").front().substr(0, 2), "8x");
    EXPECT_FALSE(std::filesystem::exists(path_ + ".3"));
}

TEST_F(Sink, RotatesByTime) {
    const auto sink = open({.rotate_mb = 0, .rotate_s = 60});
    ASSERT_TRUE(sink->write("one", now_ + std::chrono::seconds(59)));
    ASSERT_TRUE(sink->write("two", now_ + std::chrono::seconds(62)));
    EXPECT_EQ(lines_of(path_ + ".1"), std::vector<std::string>{"one"});
    EXPECT_EQ(lines_of(path_), std::vector<std::string>{"two"});
}

TEST_F(Sink, ReopensWhatAnotherMovedAway) {
    const auto sink = open({});
    ASSERT_TRUE(sink->write("one", now_));
    std::filesystem::rename(path_, path_ + ".moved");
    ASSERT_TRUE(sink->write("two", now_));
    sink->reopen();
    ASSERT_TRUE(sink->write("three", now_));
    EXPECT_EQ(lines_of(path_ + ".moved"), (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(lines_of(path_), std::vector<std::string>{"three"});
}

TEST_F(Sink, RefusesWhatIsNoFileWithTheFix) {
    config::Eve eve;
    eve.file = dir_.path();
    const auto refused = LineSink::open(eve);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().line().find("export.eve.file: cannot be written"), std::string::npos);
    EXPECT_NE(refused.error().line().find("; fix: "), std::string::npos);
}

TEST_F(Sink, ADatagramALine) {
    const int reader = listener(SOCK_DGRAM);
    const auto sink = open({.filetype = config::EveTarget::unix_dgram});
    ASSERT_TRUE(sink->write("one", now_));
    ASSERT_TRUE(sink->write("two", now_));
    std::array<char, 64> text{};
    ASSERT_EQ(::recv(reader, text.data(), text.size(), 0), 4);
    EXPECT_EQ(std::string(text.data(), 4), "one\n");
    ASSERT_EQ(::recv(reader, text.data(), text.size(), 0), 4);
    EXPECT_EQ(std::string(text.data(), 4), "two\n");
    ::close(reader);
}

TEST_F(Sink, AStreamsReaderMayComeLaterAndGo) {
    const auto sink = open({.filetype = config::EveTarget::unix_stream});
    EXPECT_FALSE(sink->write("lost", now_));
    const int listening = listener(SOCK_STREAM);
    EXPECT_FALSE(sink->write("too soon to try again", now_));
    ASSERT_TRUE(sink->write("one", now_ += LineSink::kRetry));
    const int first = ::accept(listening, nullptr, nullptr);
    std::array<char, 64> text{};
    ASSERT_EQ(::recv(first, text.data(), text.size(), 0), 4);
    ::close(first);
    EXPECT_FALSE(sink->write("lost, too", now_));
    ASSERT_TRUE(sink->write("two", now_ += LineSink::kRetry));
    const int second = ::accept(listening, nullptr, nullptr);
    ASSERT_EQ(::recv(second, text.data(), text.size(), 0), 4);
    EXPECT_EQ(std::string(text.data(), 4), "two\n");
    ::close(second);
    ::close(listening);
}

TEST_F(Sink, AReaderThatDoesNotReadLosesWholeLines) {
    const int listening = listener(SOCK_STREAM);
    const auto sink = open({.filetype = config::EveTarget::unix_stream});
    const std::string line(50'000, 'x');
    int written = 0;
    while (sink->write(line, now_)) {
        ++written;
    }
    EXPECT_GT(written, 0);
    const int reader = ::accept(listening, nullptr, nullptr);
    sink->reopen();
    std::size_t bytes = 0;
    std::array<char, 65536> text{};
    for (ssize_t n = 0; (n = ::recv(reader, text.data(), text.size(), 0)) > 0;) {
        bytes += static_cast<std::size_t>(n);
    }
    EXPECT_GE(bytes, static_cast<std::size_t>(written) * (line.size() + 1));
    ::close(reader);
    ::close(listening);
}

}  // namespace
}  // namespace weir::control::test
