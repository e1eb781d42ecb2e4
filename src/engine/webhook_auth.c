/*
 * webhook_auth.c: the secrets of a webhook's auth, and the check with them.
 *
 * A value is in memory that wipes itself and nowhere else. `auth` is first built with as many blanks as the values have
 * bytes; a copy of that, in such memory, has the values written over the blanks. What checks with them (hook/) borrows it.
 *
 * Secrets are opened as the version's owner, who must be allowed to use them, as a run's role must that names some.
 */
#include "postgres.h"

#include "base/secret.h"
#include "engine/webhook.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/secret.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#define MOST_FIELDS 16			/* of a credential */

/* -- their names -- */

static bool
is_among(const List *names, const char *text, int bytes)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strlen(lfirst(cell)) == bytes && memcmp(lfirst(cell), text, bytes) == 0)
			return true;
	return false;
}

/* All that a value names, each once; throws 22023 for what cannot be resolved. */
static List *
add_names(List *names, const JsonbValue *value)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	child;
	const char *at;
	const char *text;
	int			bytes;
	WfPieceKind kind;

	check_stack_depth();
	if (value->type == jbvBinary)
	{
		wf_json_iter_begin(&it, value);
		while (wf_json_iter_next(&it, &key, &child))
			names = add_names(names, &child);
	}
	if (value->type != jbvString)
		return names;
	at = value->val.string.val;
	while ((kind = wf_block_incoming_piece(&at, value->val.string.val + value->val.string.len, &text, &bytes)) != WF_PIECE_END)
	{
		if (kind == WF_PIECE_WRONG)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("auth holds a template that names no secret")));
		if (kind == WF_PIECE_SECRET && !is_among(names, text, bytes))
			names = lappend(names, pnstrdup(text, bytes));
	}
	return names;
}

/* -- their values -- */

typedef struct Opened
{
	int			n;
	WfSecretValue *values;
} Opened;

static const WfSecretValue *
value_of(const Opened *opened, const char *name, int bytes)
{
	for (int i = 0; i < opened->n; i++)
		if (strlen(opened->values[i].name) == bytes && memcmp(opened->values[i].name, name, bytes) == 0)
			return &opened->values[i];
	elog(ERROR, "a secret was not opened");
	return NULL;				/* not reached */
}

/* Writes a text with its values to `out`, unless that is NULL; how many bytes that is. */
static int
fill_text(const JsonbValue *from, const Opened *opened, char *out)
{
	const char *at = from->val.string.val;
	const char *end = at + from->val.string.len;
	const char *text;
	int			bytes;
	int			total = 0;
	WfPieceKind kind;

	while ((kind = wf_block_incoming_piece(&at, end, &text, &bytes)) != WF_PIECE_END)
	{
		if (kind == WF_PIECE_SECRET)
		{
			const WfSecretValue *value = value_of(opened, text, bytes);

			text = value->value;
			bytes = value->len;
		}
		if (out != NULL)
			memcpy(out + total, text, bytes);
		total += bytes;
	}
	return total;
}

/* Writes the value with blanks for its texts. */
static void
put_blank(WfJsonWriter *w, const JsonbValue *from, const Opened *opened)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	child;

	check_stack_depth();
	if (from->type == jbvString)
	{
		int			bytes = fill_text(from, opened, NULL);
		char	   *blank = palloc(bytes + 1);

		memset(blank, ' ', bytes);
		wf_json_put_string(w, blank, bytes);
		return;
	}
	if (from->type != jbvBinary)
	{
		wf_json_put(w, from);
		return;
	}
	if (wf_json_is_object(from))
		wf_json_begin_object(w);
	else
		wf_json_begin_array(w);
	wf_json_iter_begin(&it, from);
	while (wf_json_iter_next(&it, &key, &child))
	{
		if (it.is_object)
			wf_json_key(w, key.val.string.val, key.val.string.len);
		put_blank(w, &child, opened);
	}
	if (wf_json_is_object(from))
		wf_json_end_object(w);
	else
		wf_json_end_array(w);
}

/* Writes the texts of `from` over the blanks of `to`, which has the same members in the same order. */
static void
fill_blanks(const JsonbValue *from, const JsonbValue *to, const Opened *opened)
{
	WfJsonIter	from_it;
	WfJsonIter	to_it;
	JsonbValue	key;
	JsonbValue	from_child;
	JsonbValue	to_child;

	check_stack_depth();
	if (from->type == jbvString)
		(void) fill_text(from, opened, to->val.string.val);
	if (from->type != jbvBinary)
		return;
	wf_json_iter_begin(&from_it, from);
	wf_json_iter_begin(&to_it, to);
	while (wf_json_iter_next(&from_it, &key, &from_child) && wf_json_iter_next(&to_it, &key, &to_child))
		fill_blanks(&from_child, &to_child, opened);
}

/* The auth with its values, in memory that wipes itself. */
static void
fill_auth(const JsonbValue *auth, const Opened *opened, JsonbValue *out)
{
	WfJsonWriter *w = wf_json_writer_begin();
	Jsonb	   *blank;
	Jsonb	   *filled;

	put_blank(w, auth, opened);
	blank = wf_json_finish(w);
	filled = wf_secret_alloc(VARSIZE(blank));
	memcpy(filled, blank, VARSIZE(blank));
	wf_json_root(filled, out);
	fill_blanks(auth, out, opened);
}

/* As whom secrets are opened: the version's owner. NULL, or why that may not be. */
static WfError *
may_use(const WfTriggerRow *row)
{
	WfError    *problem = NULL;
	WfTenant	tenant;
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(row->role, context | SECURITY_LOCAL_USERID_CHANGE);
	if (!wf_store_is_member(&row->tenant_id, &tenant) || (tenant.permissions & WF_CREDENTIAL_USE) == 0)
		problem = wf_error_make(ERRCODE_INSUFFICIENT_PRIVILEGE, "An admin or owner of the tenant can give it with wf_grant().",
								"role \"%s\", who saved the version, may not use secrets of the tenant",
								GetUserNameFromId(row->role, true));
	SetUserIdAndSecContext(user, context);
	return problem;
}

static WfError *
open_secrets(const WfTriggerRow *row, const char *const *names, Opened *opened)
{
	WfError    *problem = may_use(row);

	return problem != NULL ? problem : wf_store_open_secrets(&row->tenant_id, names, opened->n, &opened->values);
}

/* -- a credential -- */

/*
 * The auth that a credential stands for, each of its fields a secret of the field's name, and the values of these. *header: that
 * which has the sender's secret, in small letters.
 */
static WfError *
open_credential(const WfTriggerRow *row, const char *name, Jsonb **auth, Opened *opened, const char **header)
{
	const WfCredentialType *type;
	WfSecretValue credential;
	WfError    *problem = may_use(row);
	WfJsonWriter *w;
	WfPacked	field;
	const char *at;

	if (problem == NULL)
		problem = wf_store_open_credential(&row->tenant_id, name, &type, &credential);
	if (problem != NULL)
		return problem;
	if (type->hook_type == NULL)
	{
		wf_marker_wipe(&credential, 1);
		return wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "credential \"%s\" is of type \"%s\", which is not for a webhook", name,
							 type->name);
	}
	opened->values = palloc0(sizeof(WfSecretValue) * MOST_FIELDS);
	*header = "authorization";
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "type", type->hook_type);
	at = credential.value;
	while (opened->n < MOST_FIELDS && wf_credential_unpack(type, &at, credential.value + credential.len, &field))
	{
		WfSecretValue *value = &opened->values[opened->n];

		if (field.field->as_hook == NULL)
			continue;
		value->name = field.field->key;
		value->len = field.len;
		value->value = wf_secret_alloc(field.len + 1);
		memcpy(value->value, field.value, field.len);
		opened->n++;
		wf_json_put_field_cstring(w, field.field->as_hook, psprintf("{{ $secrets.%s }}", field.field->key));
		if (strcmp(type->hook_type, "header") == 0 && strcmp(field.field->as_hook, "name") == 0)
			*header = asc_tolower(field.value, field.len);
	}
	wf_json_end_object(w);
	*auth = wf_json_finish(w);
	wf_marker_wipe(&credential, 1);
	return NULL;
}

/* -- checking -- */

/* The check with an auth whose secrets are opened; they are wiped. */
static void
check_opened(const JsonbValue *auth, Opened *opened, WfHookCheck *in, WfHookVerdict *out)
{
	JsonbValue	filled;

	fill_auth(auth, opened, &filled);
	wf_marker_wipe(opened->values, opened->n);
	in->auth = &filled;
	wf_hook_check(in, out);
	in->auth = NULL;
}

void
wf_webhook_check(const WebhookRoute *route, WfHookCheck *in, WfHookVerdict *out, const char **secret_header)
{
	Opened		opened = {0};
	const char **names;
	List	   *list = NIL;
	ListCell   *cell;
	WfError    *problem;
	char	   *credential;
	Jsonb	   *made = NULL;
	JsonbValue	auth;

	in->auth = route->incoming.has_auth ? &route->incoming.auth : NULL;
	*secret_header = route->incoming.secret_header;
	credential = in->auth == NULL ? NULL : wf_json_get_cstring(in->auth, "credential");
	if (credential != NULL)
	{
		problem = open_credential(route->row, credential, &made, &opened, secret_header);
		if (problem != NULL)
			wf_error_raise(problem);
		wf_json_root(made, &auth);
		check_opened(&auth, &opened, in, out);
		return;
	}
	if (in->auth != NULL)
		list = add_names(NIL, in->auth);
	if (list == NIL)
	{
		wf_hook_check(in, out);
		return;
	}
	names = palloc(sizeof(char *) * list_length(list));
	foreach(cell, list)
		names[opened.n++] = lfirst(cell);
	problem = open_secrets(route->row, names, &opened);
	if (problem != NULL)
		wf_error_raise(problem);
	check_opened(in->auth, &opened, in, out);
}

void
wf_webhook_pretend(const WebhookRoute *decoy, WfHookCheck *in)
{
	WfHookVerdict verdict;
	const char *unused;
	WfJsonWriter *w;
	JsonbValue	auth;

	if (decoy != NULL)
	{
		wf_webhook_check(decoy, in, &verdict, &unused);
		return;
	}
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "type", "hmac");
	wf_json_put_field_cstring(w, "scheme", "standard");
	wf_json_put_field_cstring(w, "secret", "nobody's");
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), &auth);
	in->auth = &auth;
	wf_hook_check(in, &verdict);
	in->auth = NULL;
}
