#include <chrono>
#include <exception>
#include <utility>

#include "api/preferences.h"
#include "api/service.h"

// How requests wait for other attempts at their keys.
namespace rocket::api {

// Whether a request that got this response goes on waiting for another attempt at its key.
bool Service::waits(Answering& answering, const HttpResponse& response) {
  if (response.key_in_progress.empty() || !answering.route->render_outcome) return false;
  if (!answering.wait) answering.wait = read_wait_preference(answering.context.request);
  if (!answering.wait || std::chrono::steady_clock::now() >= answering.since + *answering.wait) return false;
  if (answering.in_line->begin_wait()) return true;
  // The preference was not honoured, so the answer must not say so.
  answering.wait.reset();
  return false;
}

// Keeps its slot in the line only. It makes no charge for now, so it must not keep others from making one.
void Service::wait(std::unique_ptr<Answering> answering, const std::string& key_id) {
  answering->charge = {};
  answering->on_lane.reset();
  waiting_.add(key_id, std::move(answering));
}

void Service::end_wait(std::unique_ptr<Answering> answering, std::optional<idempotency::Outcome> known) {
  RequestContext& context = answering->context;
  const Route& route = *answering->route;
  if (known) {
    HttpResponse response;
    try {
      // Its first attempt has compared credentials, method, path and parameters with those of the key.
      response = route.render_outcome(std::move(*known), context);
    } catch (...) {
      response = render_exception(std::current_exception(), context);
    }
    return post(std::move(answering), std::move(response));
  }
  context.restriction.reset();
  answering->in_line->end_wait();
  if (!answering->in_line->may_call_provider()) {
    context.restriction = {overloaded_[context.as_problem ? 1 : 0]};
  }
  limiter_.begin_again(route, context, answering->charge);
  begin(std::move(answering));
}

void Service::stop() {
  stopping_ = true;
  waiting_.stop();
}

}  // namespace rocket::api
