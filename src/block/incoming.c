/*
 * incoming.c: reading the config of a trigger.webhook.
 */
#include "postgres.h"

#include "base/secret.h"
#include "base/text.h"
#include "block/incoming.h"
#include "hook/request.h"
#include "lib/stringinfo.h"
#include "schema/schema.h"

#define MOST_PROBLEMS 20		/* of a body */

/* -- the config -- */

static WfIncomingRespond
respond_of(const JsonbValue *config)
{
	const char *respond = wf_json_get_cstring(config, "respond");

	if (respond != NULL && strcmp(respond, "whenDone") == 0)
		return WF_RESPOND_WHEN_DONE;
	return respond != NULL && strcmp(respond, "node") == 0 ? WF_RESPOND_NODE : WF_RESPOND_IMMEDIATELY;
}

/* The header by which the sender proves who it is with the secret itself. A signature is no such. */
static const char *
secret_header_of(const JsonbValue *auth)
{
	const char *type = wf_json_get_cstring(auth, "type");
	char	   *name;

	if (type == NULL)
		return NULL;
	if (strcmp(type, "basic") == 0 || strcmp(type, "jwt") == 0)
		return "authorization";
	name = strcmp(type, "header") == 0 ? wf_json_get_cstring(auth, "name") : NULL;
	for (char *c = name; c != NULL && *c != '\0'; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return name;
}

bool
wf_block_incoming_read(const Jsonb *config, WfIncoming *out)
{
	const char *problem;
	const char *path;
	const char *method;
	JsonbValue	root;
	JsonbValue	validation;
	JsonbValue	schema;

	memset(out, 0, sizeof(*out));
	wf_json_root(config, &root);
	path = wf_json_get_cstring(&root, "path");
	method = wf_json_get_cstring(&root, "method");
	out->method = wf_hook_method(method == NULL ? "POST" : method);
	if (path == NULL || out->method == NULL)
		return false;
	out->pattern = wf_hook_path_parse(path, &problem);
	if (out->pattern == NULL)
		return false;
	out->has_auth = wf_json_field(&root, "auth", &out->auth);
	if (out->has_auth)
		out->secret_header = secret_header_of(&out->auth);
	if (wf_json_field(&root, "validation", &validation) && wf_json_field(&validation, "schema", &schema))
	{
		out->schema = wf_schema_compile(wf_json_copy(&schema), 0, NULL, 0, NULL);
		if (out->schema == NULL)
			return false;
	}
	out->respond = respond_of(&root);
	return true;
}

char *
wf_block_incoming_route(const WfIncoming *incoming)
{
	return psprintf("%s %s", incoming->method, wf_hook_path_canonical(incoming->pattern));
}

Jsonb *
wf_block_incoming_problems(const WfIncoming *incoming, const Jsonb *body)
{
	List	   *errors = NIL;
	WfJsonWriter *w;
	ListCell   *cell;
	JsonbValue	root;

	wf_json_root(body, &root);
	if (incoming->schema == NULL || wf_schema_validate(incoming->schema, &root, &errors, MOST_PROBLEMS))
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_array(w);
	foreach(cell, errors)
	{
		const WfSchemaError *error = lfirst(cell);

		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "path", error->instance_path);
		wf_json_put_field_cstring(w, "message", error->message);
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
	return wf_json_finish(w);
}

/* -- secrets in a text -- */

/* A place of two characters that are the same. */
static const char *
find_pair(const char *at, const char *end, char c)
{
	for (; end - at >= 2; at++)
		if (at[0] == c && at[1] == c)
			return at;
	return NULL;
}

/* `$secrets.NAME` with white space around it. */
static WfPieceKind
read_secret(const char *at, const char *end, const char **text, int *bytes)
{
	static const char prefix[] = "$secrets.";

	while (at < end && strchr(" \t\r\n", *at) != NULL)
		at++;
	while (end > at && strchr(" \t\r\n", end[-1]) != NULL)
		end--;
	if (end - at < sizeof(prefix) || memcmp(at, prefix, sizeof(prefix) - 1) != 0)
		return WF_PIECE_WRONG;
	*text = at + sizeof(prefix) - 1;
	*bytes = (int) (end - *text);
	return wf_secret_name_is_valid(*text, *bytes) ? WF_PIECE_SECRET : WF_PIECE_WRONG;
}

WfPieceKind
wf_block_incoming_piece(const char **at, const char *end, const char **text, int *bytes)
{
	const char *opens = find_pair(*at, end, '{');
	const char *closes;
	WfPieceKind kind;

	if (*at >= end)
		return WF_PIECE_END;
	if (opens != *at)
	{
		const char *stop = opens == NULL ? end : opens;

		*text = *at;
		*bytes = (int) (stop - *at);
		*at = stop;
		return WF_PIECE_TEXT;
	}
	closes = find_pair(opens + 2, end, '}');
	if (closes == NULL)
		return WF_PIECE_WRONG;
	kind = read_secret(opens + 2, closes, text, bytes);
	*at = closes + 2;
	return kind;
}
