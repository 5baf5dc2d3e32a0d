"""The candidate at which a request has the least time to wait: its mean response time, times the
requests that would then be there, for its weight. Failing candidates count as slower."""

# Import everything here at the top: what is imported later would look for files, and there are none.
import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import request_info, stats
from wit_world.imports.types import Choice_Abstain, Choice_Backend

LARGEST_PENALTY = 1000


def penalty_of(config):
    """How many times slower a candidate counts that always fails."""
    options = json.loads(config)
    for name in options:
        if name != "penalty":
            # The operator sees this at the policy's place in the configuration.
            raise Err(f"there is no option `{name}`: there is `penalty`")
    penalty = options.get("penalty", 20)
    if type(penalty) is not int or not 0 <= penalty <= LARGEST_PENALTY:
        raise Err(f"`penalty`: a whole number from 0 to {LARGEST_PENALTY} is wanted")
    return penalty


class Policy(exports.Policy):
    penalty = 20
    weights = []
    begin = 0

    # The gateway makes an object for each call, so what is to be kept belongs to the class.
    def init(self, config, backends, seed):
        Policy.penalty = penalty_of(config)
        Policy.weights = [backend.weight for backend in backends]
        Policy.begin = seed % max(len(backends), 1)

    def pick(self, request):
        penalty, weights, begin = Policy.penalty, Policy.weights, Policy.begin
        slow, busy, failing = stats.latency(), stats.in_flight(), stats.failures()
        tried = request_info.tried() if request.attempt > 0 else ()
        best, least = -1, float("inf")
        # From behind the last choice on, so that equals take turns.
        for index in (*range(begin, len(weights)), *range(begin)):
            share = slow[index] * (busy[index] + 1.0) / weights[index]
            wait = share * (1.0 + penalty * failing[index] / 1e6)
            if wait < least and index not in tried:
                best, least = index, wait
        if best < 0:
            return Choice_Abstain()
        Policy.begin = best + 1
        return Choice_Backend(best)
