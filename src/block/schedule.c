/*
 * schedule.c: the block trigger.schedule: cron, time zone, start and end.
 *
 * All of its config is fixed in the definition and read twice: when the definition is compiled, for what is wrong with it, and by
 * whoever fires it, from the trigger's row. Nothing here asks for the time, so that a version compiles at any time as it did.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/schedule.h"
#include "block/support.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#define TIME_HINT "Write ISO 8601: a date (2030-01-31), or a date-time (2030-01-31T08:00:00), which without offset is of the trigger's time zone."
#define TIME_BYTES 48
#define DEFAULT_CATCH_UP_MS (INT64CONST(3600) * 1000)
#define LEAST_CATCH_UP_MS (INT64CONST(60) * 1000)	/* whoever looks may be so late */
#define MOST_CATCH_UP_MS (INT64CONST(36525) * 24 * 3600 * 1000)

static const char *const out_ports[] = {"out", NULL};

/* -- reading -- */

static bool
refuse(WfScheduleProblem *problem, const char *key, const char *hint, const char *message)
{
	problem->key = key;
	problem->message = message;
	problem->hint = hint;
	return false;
}

/* A local time, given as if it were UTC's, as an instant. */
static bool
from_local(TimestampTz local, pg_tz *zone, TimestampTz *out)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (timestamp2tm(local, NULL, &tm, &fsec, NULL, NULL) != 0)
		return false;
	offset = DetermineTimeZoneOffset(&tm, zone);
	*out = local + offset * USECS_PER_SEC;
	return IS_VALID_TIMESTAMP(*out);
}

/* A time of the config; `out` stays when there is none. */
static bool
read_time(const JsonbValue *config, const char *key, pg_tz *zone, TimestampTz *out, WfScheduleProblem *problem)
{
	char	   *text = wf_json_get_cstring(config, key);
	char		with_zone[TIME_BYTES + 2];
	TimestampTz time;
	bool		has_clock;
	bool		has_offset;

	if (text == NULL)
		return true;
	has_clock = strlen(text) > 10 && strlen(text) <= TIME_BYTES && strchr("Tt ", text[10]) != NULL;
	has_offset = has_clock && strpbrk(text + 11, "Zz+-") != NULL;
	snprintf(with_zone, sizeof(with_zone), "%.*s%s", TIME_BYTES, text, has_clock && !has_offset ? "Z" : "");
	if (strlen(text) > TIME_BYTES || !wf_expr_parse_time(with_zone, &time) ||
		(!has_offset && !from_local(time, zone, &time)))
		return refuse(problem, key, TIME_HINT, psprintf("\"%s\" is not a time: %s", key, wf_text_clip(text)));
	*out = time;
	return true;
}

static bool
read_cron(const JsonbValue *config, WfSchedule *out, WfScheduleProblem *problem)
{
	const char *field;
	const char *why;
	char	   *text = wf_json_get_cstring(config, "cron");

	out->cron = wf_cron_parse(text == NULL ? "" : text, &field, &why);
	if (out->cron != NULL)
		return true;
	return refuse(problem, "cron", "Fields are minute, hour, day of month, month and day of week: 0 9 * * mon-fri.",
				  field == NULL ? psprintf("\"cron\" is not a schedule: %s", why) :
				  psprintf("\"cron\" is not a schedule: %s: %s", field, why));
}

static bool
read_zone(const JsonbValue *config, WfSchedule *out, WfScheduleProblem *problem)
{
	char	   *name = wf_json_get_cstring(config, "timezone");
	const char *hint;

	out->zone = wf_cron_zone(name == NULL ? "UTC" : name, &hint);
	if (out->zone != NULL)
		return true;
	return refuse(problem, "timezone", hint, psprintf("time zone \"%s\" is unknown", wf_text_clip(name)));
}

static bool
read_catch_up(const JsonbValue *config, WfSchedule *out, WfScheduleProblem *problem)
{
	JsonbValue	value;
	int64		ms = DEFAULT_CATCH_UP_MS;

	if (wf_json_field(config, "catchUp", &value) &&
		!wf_text_duration_ms(wf_json_is_string(&value) ? wf_json_cstring(&value) : wf_json_text(&value), &ms))
		return refuse(problem, "catchUp", "Write an interval (5 minutes), ISO 8601 (PT5M), or a number of seconds.",
					  "\"catchUp\" is not a duration");
	out->catch_up_ms = Min(Max(ms, LEAST_CATCH_UP_MS), MOST_CATCH_UP_MS);
	return true;
}

static WfOverlap
read_overlap(const JsonbValue *config)
{
	char	   *text = wf_json_get_cstring(config, "overlap");

	if (text != NULL && strcmp(text, "queue") == 0)
		return WF_OVERLAP_QUEUE;
	return text != NULL && strcmp(text, "allow") == 0 ? WF_OVERLAP_ALLOW : WF_OVERLAP_SKIP;
}

/* Is there a time at which it is due? Without a start, one that comes at all. */
static bool
check_ever(const WfSchedule *schedule, WfScheduleProblem *problem)
{
	TimestampTz next;

	if (schedule->start > schedule->end)
		return refuse(problem, "end", NULL, "\"end\" is before \"start\"");
	if (!wf_cron_next(schedule->cron, schedule->zone, 0, &next))
		return refuse(problem, "cron", NULL, "\"cron\" is never due: its months do not have its days");
	if (!TIMESTAMP_IS_NOBEGIN(schedule->start) && !wf_schedule_next(schedule, schedule->start - 1, &next))
		return refuse(problem, "end", NULL, "the schedule is never due between \"start\" and \"end\"");
	return true;
}

bool
wf_schedule_read(const Jsonb *config, WfSchedule *out, WfScheduleProblem *problem)
{
	JsonbValue	root;

	memset(out, 0, sizeof(*out));
	out->start = DT_NOBEGIN;
	out->end = DT_NOEND;
	wf_json_root(config, &root);
	out->overlap = read_overlap(&root);
	return read_cron(&root, out, problem) && read_zone(&root, out, problem) &&
		read_time(&root, "start", out->zone, &out->start, problem) &&
		read_time(&root, "end", out->zone, &out->end, problem) &&
		read_catch_up(&root, out, problem) && check_ever(out, problem);
}

/* -- due times -- */

bool
wf_schedule_next(const WfSchedule *schedule, TimestampTz after, TimestampTz *next)
{
	if (!TIMESTAMP_IS_NOBEGIN(schedule->start) && after < schedule->start)
		after = schedule->start - 1;
	return wf_cron_next(schedule->cron, schedule->zone, after, next) && *next <= schedule->end;
}

bool
wf_schedule_same_times(const Jsonb *a, const Jsonb *b)
{
	static const char *const keys[] = {"cron", "timezone", "start", "end"};
	JsonbValue	roots[2];

	wf_json_root(a, &roots[0]);
	wf_json_root(b, &roots[1]);
	for (int i = 0; i < lengthof(keys); i++)
	{
		char	   *one = wf_json_get_cstring(&roots[0], keys[i]);
		char	   *other = wf_json_get_cstring(&roots[1], keys[i]);

		if (one == NULL || other == NULL ? one != other : strcmp(one, other) != 0)
			return false;
	}
	return true;
}

static void
put_time(WfJsonWriter *w, const char *key, TimestampTz time, pg_tz *zone)
{
	char		text[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset = 0;

	if (timestamp2tm(time, &offset, &tm, &fsec, NULL, zone) != 0)
		offset = 0;
	JsonEncodeDateTime(text, TimestampTzGetDatum(time), TIMESTAMPTZOID, &offset);
	wf_json_put_field_cstring(w, key, text);
}

Jsonb *
wf_schedule_input(const WfSchedule *schedule, TimestampTz at, TimestampTz now)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	put_time(w, "scheduledAt", at, schedule->zone);
	put_time(w, "firedAt", now, schedule->zone);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- the block -- */

static void
report(const WfNode *node, const WfScheduleProblem *problem, WfDiagnostics *found)
{
	wf_block_report(node, found, problem->key, problem->hint, "%s", problem->message);
}

/* What its schema refuses is reported already. */
static bool
matches_schema(const WfNode *node)
{
	static const char *const keys[] = {"cron", "timezone", "start", "end"};
	JsonbValue	value;

	for (int i = 0; i < lengthof(keys); i++)
	{
		bool		is_there = wf_block_fixed(node, keys[i], &value);

		if (is_there ? !wf_json_is_string(&value) || value.val.string.len == 0 || wf_block_is_template(&value) : i == 0)
			return false;
	}
	return true;
}

static void
schedule_validate(const WfNode *node, WfDiagnostics *found)
{
	WfSchedule	schedule;
	WfScheduleProblem problem;

	if (matches_schema(node) && !wf_schedule_read(node->config, &schedule, &problem))
		report(node, &problem, found);
}

void
wf_schedule_check(const WfNode *node, TimestampTz now, WfDiagnostics *found)
{
	WfSchedule	schedule;
	WfScheduleProblem problem;
	TimestampTz next;

	if (matches_schema(node) && wf_schedule_read(node->config, &schedule, &problem) && !wf_schedule_next(&schedule, now, &next))
		wf_block_report(node, found, "end", NULL, "the schedule is never due any more: \"end\" is past, or comes before the next time");
}

static WfOutcome
schedule_execute(WfStep *step)
{
	return wf_block_done(0, wf_json_copy(&step->input));
}

const WfBlock wf_block_trigger_schedule = {
	.type = "trigger.schedule",
	.category = "trigger",
	.summary = "starts at times that a cron expression says",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"cron": {
				"type": "string", "minLength": 1, "x-fixed": true,
				"description": "Minute, hour, day of month, month and day of week, or @daily and the like."
			},
			"timezone": {
				"type": "string", "minLength": 1, "default": "UTC", "x-fixed": true,
				"description": "The full name of the time zone that cron is meant in."
			},
			"start": {
				"type": "string", "minLength": 1, "x-fixed": true,
				"description": "It is not due before: a date or date-time in ISO 8601; without offset it is of the time zone."
			},
			"end": {
				"type": "string", "minLength": 1, "x-fixed": true,
				"description": "It is not due after: as start."
			},
			"overlap": {
				"enum": ["skip", "queue", "allow"], "default": "skip", "x-fixed": true,
				"description": "While the run before is alive: start none, one after the other, or all the same."
			},
			"catchUp": {
				"type": ["string", "number"], "minimum": 0, "default": "1 hour", "x-fixed": true,
				"description": "Times that were missed, while the server was down, are made up for when they are no longer ago."
			}
		},
		"required": ["cron"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["scheduledAt", "firedAt"],
		"properties": {
			"scheduledAt": {"type": "string", "format": "date-time", "description": "When it was due."},
			"firedAt": {"type": "string", "format": "date-time", "description": "When it was started."}
		}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_TRIGGER,
	.execute = schedule_execute,
	.validate = schedule_validate,
};
