/*
 * wait.c: the blocks that wait for a time or an event: delay, waitUntil, waitForEvent.
 *
 * Each says what it waits for (WF_OUTCOME_WAIT) and is resumed when it has come; a time that has come already is not
 * waited for, and the run goes on in the same segment. What they wait for is computed once, when the step executes:
 * templates are not evaluated again when it is resumed, however much later that is.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/text.h"
#include "block/block.h"
#include "block/saved.h"
#include "block/support.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

/* What the index of those who wait for events can hold; wf_emit and wf_signal have the same limits. */
#define EVENT_BYTES 255
#define CORRELATION_BYTES 1000

#define TIME_HINT "Write ISO 8601: a date (2030-01-31), or a date-time with or without offset (2030-01-31T08:00:00+01:00)."

typedef struct TimeState
{
	TimestampTz until;
} TimeState;

static const char *const out_ports[] = {"out", NULL};
static const char *const event_ports[] = {"out", "timeout", NULL};

enum
{
	PORT_OUT,
	PORT_TIMEOUT
};

/* -- times -- */

static Jsonb *
until_output(TimestampTz until)
{
	char		text[MAXDATELEN + 1];
	JsonbValue	value;

	JsonEncodeDateTime(text, TimestampTzGetDatum(until), TIMESTAMPTZOID, NULL);
	wf_json_set_string(&value, text, strlen(text));
	return wf_block_object1("until", &value);
}

/* Waits until then, or goes on at once. */
static WfOutcome
wait_until(WfStep *step, TimestampTz until)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_WAIT};
	TimeState  *state;

	if (until <= wf_clock_now())
		return wf_block_done(PORT_OUT, until_output(until));
	state = MemoryContextAlloc(step->state_memory, sizeof(TimeState));
	state->until = until;
	step->state = state;
	outcome.wait.kind = WF_WAIT_TIME;
	outcome.wait.until = until;
	return outcome;
}

static WfOutcome
time_resume(WfStep *step, const WfReply *reply)
{
	const TimeState *state = step->state;

	if (reply->failed)
		return wf_block_fail(wf_block_keep_error(reply->error));
	return wf_block_done(PORT_OUT, until_output(state->until));
}

static Jsonb *
time_save(WfStep *step)
{
	const TimeState *state = step->state;
	JsonbValue	until;

	wf_json_set_int64(&until, state->until);
	return wf_block_object1("until", &until);
}

static void *
time_load(WfStep *step, const JsonbValue *saved)
{
	TimeState  *state = palloc(sizeof(TimeState));

	state->until = wf_block_saved_need_int(step->node, saved, "until");
	if (!IS_VALID_TIMESTAMP(state->until))
		wf_block_saved_refuse(step->node, "\"until\" is no time");
	return state;
}

/* -- delay -- */

static void
delay_validate(const WfNode *node, WfDiagnostics *found)
{
	wf_block_check_duration(node, "duration", found);
}

static WfOutcome
delay_execute(WfStep *step)
{
	JsonbValue	duration;

	wf_block_config(step, "duration", &duration);
	return wait_until(step, wf_block_until(wf_block_duration(&duration, "duration"), "duration"));
}

const WfBlock wf_block_delay = {
	.type = "delay",
	.category = "flow",
	.summary = "waits for a duration",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"duration": {
				"type": ["string", "number"], "minimum": 0,
				"description": "How long: an interval (5 minutes), ISO 8601 (PT5M), or a number of seconds."
			}
		},
		"required": ["duration"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["until"],
		"properties": {"until": {"type": "string", "format": "date-time", "description": "When it was to go on."}}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = delay_execute,
	.validate = delay_validate,
	.resume = time_resume,
	.save = time_save,
	.load = time_load,
};

/* -- waitUntil -- */

static void
until_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	time;
	TimestampTz until;

	if (!wf_block_fixed(node, "time", &time) || !wf_json_is_string(&time) || time.val.string.len == 0 ||
		wf_block_is_template(&time))
		return;
	if (!wf_expr_parse_time(wf_json_cstring(&time), &until))
		wf_block_report(node, found, "time", TIME_HINT, "\"time\" is not a time: %s",
						wf_text_clip(wf_json_text(&time)));
}

/* Does the time name less than a millisecond? Times have milliseconds, and a wait must not end early. */
static bool
is_finer(const char *text)
{
	const char *fraction = strpbrk(text, ".,");
	size_t		n = fraction == NULL ? 0 : strspn(fraction + 1, "0123456789");

	return n > 3 && strspn(fraction + 4, "0") < n - 3;
}

static WfOutcome
until_execute(WfStep *step)
{
	JsonbValue	time;
	TimestampTz until;

	wf_block_config(step, "time", &time);
	if (!wf_json_is_string(&time) || !wf_expr_parse_time(wf_json_cstring(&time), &until))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"time\" is not a time: %s", wf_text_clip(wf_json_text(&time))),
						time.type == jbvNumeric ?
						errhint("A number of milliseconds is made a time by {{ new Date(...) }}.") : errhint(TIME_HINT)));
	if (is_finer(wf_json_cstring(&time)))
		until += 1000;
	return wait_until(step, until);
}

const WfBlock wf_block_wait_until = {
	.type = "waitUntil",
	.category = "flow",
	.summary = "waits until a time",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"time": {
				"type": "string", "minLength": 1,
				"description": "A date (midnight UTC) or date-time in ISO 8601; without offset it is of the session's TimeZone."
			}
		},
		"required": ["time"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["until"],
		"properties": {"until": {"type": "string", "format": "date-time", "description": "When it was to go on."}}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = until_execute,
	.validate = until_validate,
	.resume = time_resume,
	.save = time_save,
	.load = time_load,
};

/* -- waitForEvent -- */

static void
event_validate(const WfNode *node, WfDiagnostics *found)
{
	static const struct
	{
		const char *key;
		int			most_bytes;
	}			names[] = {{"event", EVENT_BYTES}, {"correlation", CORRELATION_BYTES}};
	JsonbValue	value;

	for (int i = 0; i < lengthof(names); i++)
	{
		if (wf_block_fixed(node, names[i].key, &value) && wf_json_is_string(&value) && !wf_block_is_template(&value) &&
			value.val.string.len > names[i].most_bytes)
			wf_block_report(node, found, names[i].key, NULL, "\"%s\" must have at most %d bytes, not %d", names[i].key,
							names[i].most_bytes, value.val.string.len);
	}
	wf_block_check_duration(node, "timeout", found);
}

/* A scalar as text; NULL when it is missing or null: any will do. */
static const char *
read_correlation(WfStep *step)
{
	JsonbValue	value;
	char	   *text;

	if (!wf_block_config(step, "correlation", &value) || value.type == jbvNull)
		return NULL;
	if (wf_json_is_array(&value) || wf_json_is_object(&value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"correlation\" must be a string, number or boolean, not %s", wf_json_type_name(&value))));
	text = wf_json_is_string(&value) ? wf_json_cstring(&value) : wf_json_text(&value);
	if (strlen(text) > CORRELATION_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"correlation\" must have at most %d bytes, not %zu", CORRELATION_BYTES, strlen(text))));
	return text;
}

static WfOutcome
event_execute(WfStep *step)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_WAIT};
	int64		timeout_ms = wf_block_config_duration(step, "timeout");

	outcome.wait.kind = WF_WAIT_EVENT;
	outcome.wait.event = wf_block_config_name(step, "event", EVENT_BYTES);
	outcome.wait.correlation = read_correlation(step);
	outcome.wait.until = timeout_ms > 0 ? wf_block_until(timeout_ms, "timeout") : 0;
	return outcome;
}

static WfOutcome
event_resume(WfStep *step, const WfReply *reply)
{
	JsonbValue	payload;

	if (reply->failed && !reply->timed_out)
		return wf_block_fail(wf_block_keep_error(reply->error));
	if (!reply->timed_out)
		return wf_block_done(PORT_OUT, wf_block_object1("payload", &reply->output));
	wf_json_set_null(&payload);
	return wf_block_done(PORT_TIMEOUT, wf_block_object1("payload", &payload));
}

const WfBlock wf_block_wait_for_event = {
	.type = "waitForEvent",
	.category = "flow",
	.summary = "waits for an event",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"event": {
				"type": "string", "minLength": 1,
				"description": "Its name, as in wf_emit and wf_signal; at most 255 bytes."
			},
			"correlation": {
				"type": ["string", "number", "boolean", "null"],
				"description": "Only events with this correlation, compared as text; any unless given. At most 1000 bytes."
			},
			"timeout": {
				"type": ["string", "number", "null"], "minimum": 0,
				"description": "How long to wait; then on at timeout. For ever unless given."
			}
		},
		"required": ["event"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["payload"],
		"properties": {"payload": {"description": "What came with the event; null when the time was up."}}
	}),
	.ports = event_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = event_execute,
	.validate = event_validate,
	.resume = event_resume,
};
