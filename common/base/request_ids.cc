#include "rocket/base/request_ids.h"

#include "rocket/base/traceparent.h"

namespace rocket {
namespace {

// A field without a name is left out.
LogField field(std::string_view name, std::string_view value) {
  return {value.empty() ? std::string_view() : name, value};
}

}  // namespace

std::string_view RequestIds::trace_id() const { return trace_id_of(traceparent); }

LogField RequestIds::request_field() const { return field("request_id", request_id); }
LogField RequestIds::key_field() const { return field("key_id", key_id); }
LogField RequestIds::trace_field() const { return field("trace_id", trace_id()); }

const RequestIds& ids_or_none(const SharedRequestIds& ids) {
  static const RequestIds none;
  return ids ? *ids : none;
}

}  // namespace rocket
