// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/client.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <google/protobuf/descriptor.h>
#include <unistd.h>

namespace weir::ctl {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Json = nlohmann::ordered_json;

constexpr const char* kNotFound = "socket not found";

Json scalar(const Message& message, const FieldDescriptor& field) {
    const auto& r = *message.GetReflection();
    switch (field.cpp_type()) {
        case FieldDescriptor::CPPTYPE_UINT64:
            return r.GetUInt64(message, &field);
        case FieldDescriptor::CPPTYPE_INT64:
            return r.GetInt64(message, &field);
        case FieldDescriptor::CPPTYPE_UINT32:
            return r.GetUInt32(message, &field);
        case FieldDescriptor::CPPTYPE_DOUBLE:
            return r.GetDouble(message, &field);
        case FieldDescriptor::CPPTYPE_BOOL:
            return r.GetBool(message, &field);
        case FieldDescriptor::CPPTYPE_ENUM: {
            // MODEL_STAGE_ACTIVE → "active"
            std::string name = r.GetEnum(message, &field)->name();
            name = name.substr(name.find('_', name.find('_') + 1) + 1);
            for (auto& c : name) {
                c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            }
            return name;
        }
        case FieldDescriptor::CPPTYPE_STRING:
            return r.GetString(message, &field);
        default:
            return nullptr;
    }
}

/// Why a connection cannot be had, as the operating system tells it; empty if it can.
std::string connection_trouble(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return errno == ENOENT ? kNotFound : std::strerror(errno);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return "is no socket; fix: name control.socket of weir.yaml";
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int connected =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    const int error = errno;
    (void)::close(fd);
    if (connected == 0) {
        return {};
    }
    if (error == ECONNREFUSED) {
        return "nobody answers: weir is not running (the file is left over)";
    }
    if (error == EACCES) {
        return "permission denied; fix: run as root or as a member of the socket's group";
    }
    return std::strerror(error);
}

bool bad_input(grpc::StatusCode code) {
    return code == grpc::StatusCode::INVALID_ARGUMENT || code == grpc::StatusCode::NOT_FOUND;
}

const char* code_name(grpc::StatusCode code) {
    switch (code) {
        case grpc::StatusCode::INVALID_ARGUMENT:
            return "INVALID_ARGUMENT";
        case grpc::StatusCode::NOT_FOUND:
            return "NOT_FOUND";
        case grpc::StatusCode::FAILED_PRECONDITION:
            return "FAILED_PRECONDITION";
        case grpc::StatusCode::RESOURCE_EXHAUSTED:
            return "RESOURCE_EXHAUSTED";
        case grpc::StatusCode::DEADLINE_EXCEEDED:
            return "DEADLINE_EXCEEDED";
        case grpc::StatusCode::UNAVAILABLE:
            return "UNAVAILABLE";
        case grpc::StatusCode::UNIMPLEMENTED:
            return "UNIMPLEMENTED";
        case grpc::StatusCode::PERMISSION_DENIED:
            return "PERMISSION_DENIED";
        case grpc::StatusCode::CANCELLED:
            return "CANCELLED";
        default:
            return "INTERNAL";
    }
}

}  // namespace

Client::Client(Socket socket, Target target, double timeout_seconds)
    : socket_(std::move(socket)), target_(std::move(target)), timeout_(timeout_seconds) {
    stub_ = v1::Control::NewStub(
        target_.address.empty()
            ? grpc::CreateChannel("unix:" + socket_.path, grpc::InsecureChannelCredentials())
            : grpc::CreateChannel(
                  target_.address,
                  grpc::SslCredentials({target_.ca, target_.key, target_.certificate})));
}

std::string Client::place() const {
    return target_.address.empty() ? "socket " + socket_.path : "target " + target_.address;
}

std::unique_ptr<grpc::ClientContext> Client::context(double more_seconds) const {
    auto context = endless_context();
    context->set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            timeout_ + std::chrono::duration<double>(more_seconds)));
    return context;
}

std::unique_ptr<grpc::ClientContext> Client::endless_context() {
    return std::make_unique<grpc::ClientContext>();
}

Exit Client::report_status(const Call& call, const grpc::Status& status) const {
    const auto code = status.error_code();
    std::string message = status.error_message();
    if (code == grpc::StatusCode::UNAVAILABLE && !target_.address.empty()) {
        message = place() + ": " + message;
    } else if (code == grpc::StatusCode::UNAVAILABLE) {
        const auto trouble = connection_trouble(socket_.path);
        message =
            trouble == kNotFound
                ? trouble + ": is weir running? tried " + socket_.path + " (" + socket_.chosen + ")"
                : "socket " + socket_.path + ": " + (trouble.empty() ? message : trouble);
    } else if (code == grpc::StatusCode::DEADLINE_EXCEEDED) {
        message = place() + ": no answer in time; fix: a longer --timeout";
    } else if (code == grpc::StatusCode::UNIMPLEMENTED) {
        message = "the gateway does not know this call; fix: use the weirctl of its version";
    } else if (message.empty()) {
        message = place() + ": the gateway ended the call; is it stopping?";
    }
    return report(call, code_name(code), message, bad_input(code) ? Exit::bad_input : Exit::failed);
}

Exit report(const Call& call, const std::string& code, const std::string& message, Exit exit) {
    std::fprintf(stderr, "weirctl: %s\n", message.c_str());
    if (call.json) {
        const Json json{{"ok", false}, {"error", {{"code", code}, {"message", message}}}};
        std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    }
    return exit;
}

std::optional<Exit> confirm(const Call& call, const std::string& what) {
    if (call.has("yes")) {
        return std::nullopt;
    }
    if (::isatty(STDIN_FILENO) != 1) {
        return report(
            call,
            "CONFIRM",
            "to " + what + " needs a yes, and there is no terminal to ask on; fix: add --yes",
            Exit::bad_input);
    }
    std::fprintf(stderr, "weirctl: really %s? [y/N] ", what.c_str());
    const int answer = std::getchar();
    if (answer == 'y' || answer == 'Y') {
        return std::nullopt;
    }
    return report(call, "CONFIRM", "nothing was done", Exit::failed);
}

Json to_json(const Message& message) {
    Json out = Json::object();
    const auto& descriptor = *message.GetDescriptor();
    const auto& reflection = *message.GetReflection();
    for (int i = 0; i < descriptor.field_count(); ++i) {
        const auto& field = *descriptor.field(i);
        auto& value = out[field.name()];
        if (field.is_repeated()) {
            value = Json::array();
            for (int k = 0; k < reflection.FieldSize(message, &field); ++k) {
                value.push_back(
                    field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE
                        ? to_json(reflection.GetRepeatedMessage(message, &field, k))
                        : Json(reflection.GetRepeatedString(message, &field, k)));
            }
        } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
            if (reflection.HasField(message, &field)) {
                value = to_json(reflection.GetMessage(message, &field));
            }
        } else if (!field.has_optional_keyword() || reflection.HasField(message, &field)) {
            value = scalar(message, field);
        }
    }
    return out;
}

void print_json(const Message& message) {
    std::printf(
        "%s\n", to_json(message).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace weir::ctl
