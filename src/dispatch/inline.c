/*
 * inline.c: a request that is performed at once, within the transaction of the run (mode: inline).
 *
 * For whoever accepts that a rollback does not take it back, and that the transaction keeps its locks meanwhile. It can be
 * cancelled, and is ended by statement_timeout and by the time-outs around the node. Where it may go, secrets, limits and answers
 * are as in the dispatcher; rates and circuits, which live there, do not apply. Retries wait within the transaction.
 *
 * A backend that has performed one keeps its WfNet, with connections that may be used again.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/settings.h"
#include "common/pg_prng.h"
#include "dispatch/dispatch.h"
#include "dispatch/flight.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "store/quota.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

static WfNet *net = NULL;
static int64 last_id = 0;

/* Waits for what the network does next, at most so long; can be cancelled. */
static void
wait_ms(long timeout_ms)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_SOCKET_READABLE;

	(void) WaitLatchOrSocket(MyLatch, timeout_ms < 0 ? events : events | WL_TIMEOUT, wf_net_fd(net), timeout_ms,
							 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Its result; the request is dropped when this throws. */
static WfNetResult *
perform(WfNetRequest *request)
{
	WfNetResult *volatile result = NULL;

	request->id = ++last_id;
	wf_net_submit(net, request);
	wf_compose_wipe(request);
	PG_TRY();
	{
		for (;;)
		{
			bool		more = wf_net_turn(net, 256);

			result = wf_net_take(net);
			if (result != NULL)
				break;
			wait_ms(more ? 0 : wf_net_timeout_ms(net));
		}
	}
	PG_CATCH();
	{
		(void) wf_net_cancel(net, last_id);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return result;
}

/* Sees to it that there is an access token if one is needed; *token_key is its key, or NULL. */
static WfError *
get_token(WfCompose *in, const WfRequestRow *row, const WfNetPolicy *policy, char **token_key)
{
	WfError    *problem = NULL;
	char	   *key = NULL;
	char	   *refresh = NULL;
	WfNetRequest request;
	RefreshPlace place;
	bool		is_retryable;

	in->access_token = wf_token_find(in, &key, &problem);
	*token_key = key;
	if (problem != NULL || key == NULL || in->access_token != NULL)
		return problem;
	problem = wf_token_compose(in, &request);
	if (problem != NULL)
		return problem;
	request.policy = policy;
	problem = wf_token_take(key, in->secrets_age, perform(&request), in->now_unix_ms, &is_retryable, &refresh);
	if (problem == NULL && refresh != NULL)
	{
		wf_refresh_place(in, row, &place);
		wf_refresh_write_now(&place, refresh);
	}
	if (problem == NULL)
		in->access_token = wf_token_find(in, &key, &problem);
	return problem;
}

/* One attempt. Throws WF016: nothing waits for a quota of requests within a transaction. */
static void
attempt(WfCompose *in, const WfRequestRow *row, const WfNetPolicy *policy, WfRequestEnd *end, WfAnswer *answer,
		int64 *retry_after_ms)
{
	char	   *token_key = NULL;
	WfNetRequest request;
	WfNetResult *result;
	WfError    *problem;
	WfMask	   *mask;

	memset(answer, 0, sizeof(*answer));
	*retry_after_ms = -1;
	wf_store_take_request(&row->tenant_id);
	in->now_unix_ms = wf_dispatch_unix_ms(wf_clock_now());
	problem = get_token(in, row, policy, &token_key);
	if (problem == NULL)
		problem = wf_compose(in, &request);
	if (problem != NULL)
	{
		wf_mask_error(wf_mask_make(in->secrets, in->n_secrets, NULL), problem);
		answer->failed = true;
		answer->error = problem;
		return;
	}
	request.policy = policy;
	mask = wf_mask_make(in->secrets, in->n_secrets, request.auth.type == WF_NET_AUTH_BEARER &&
						(in->n_secrets > 0 || token_key != NULL) ? request.auth.token : NULL);
	result = perform(&request);
	wf_end_fill_times(end, result);
	*retry_after_ms = wf_net_result_retry_after_ms(result, in->now_unix_ms);
	wf_answer_read(in->request, result, in->attempt, end->total_ms, mask, answer);
	/* as in the dispatcher: with another token */
	if (token_key != NULL && answer->status == 401 && wf_token_forget(token_key, in->now_unix_ms))
		answer->is_retryable = true;
}

/* Attempts until one will do, or no other is to follow. */
static void
attempt_all(const WfRequestRow *row, WfCompose *in, const WfNetPolicy *policy, WfRequestEnd *end, WfAnswer *answer)
{
	for (;;)
	{
		WfAttempt	failed = {0};
		TimestampTz until;
		int64		delay_ms;

		in->attempt = ++end->attempts;
		attempt(in, row, policy, end, answer, &failed.retry_after_ms);
		if (!answer->failed)
			return;
		failed.failures = end->attempts;
		failed.elapsed_ms = (wf_clock_now() - row->created_at) / 1000;
		failed.status = answer->status;
		failed.code = answer->error->code;
		failed.is_retryable = answer->is_retryable;
		failed.random = pg_prng_double(&pg_global_prng_state);
		delay_ms = wf_end_retry_delay_ms(in->request, &failed);
		if (delay_ms < 0)
			return;
		until = TimestampTzPlusMilliseconds(wf_clock_now(), delay_ms);
		while (wf_clock_now() < until)
			wait_ms((until - wf_clock_now()) / 1000 + 1);
	}
}

static WfError *
perform_request(const WfRequestRow *row, Jsonb **output)
{
	WfCompose	in = {0};
	WfRequestEnd end = {0};
	WfAnswer	answer = {0};
	WfSecretValue *secrets = NULL;
	JsonbValue	request;
	char	   *closed;
	Jsonb	   *made = NULL;
	const WfNetPolicy *policy;

	if (net == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		net = wf_net_create(&(WfNetLimits) {.max_idle_connections = 4, .max_partitions = 16});
		MemoryContextSwitchTo(old);
	}
	wf_policies_read();
	policy = wf_policies_of(&row->tenant_id, &closed);
	wf_json_root(row->request, &request);
	in.request = &request;
	in.tenant_id = row->tenant_id;
	in.request_id = row->request_id;
	in.trace = row->trace;
	wf_end_fill_times(&end, NULL);
	answer.error = policy == NULL ? wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "request cannot be sent: %s", closed) :
		wf_credential_open(&request, &row->tenant_id, &made, &secrets, &in.n_secrets);
	if (made != NULL)
		wf_json_root(made, &request);
	in.secrets = secrets;
	answer.failed = answer.error != NULL;
	if (!answer.failed)
		attempt_all(row, &in, policy, &end, &answer);
	end.bodies = wf_bodies_of(&request, &answer);
	if (secrets != NULL)
		wf_marker_wipe(secrets, in.n_secrets);
	end.row = row;
	end.state = answer.failed ? "failed" : "completed";
	end.status = answer.status;
	end.ended_at = wf_clock_now();
	end.error = answer.failed ? wf_end_logged_error(&request, answer.error) : NULL;
	wf_store_log_request(&end);
	*output = answer.output;
	return answer.failed ? answer.error : NULL;
}

void
wf_dispatch_init(void)
{
	wf_request_perform = perform_request;
}
