/*
 * eval.c: evaluating nodes that read: constants, paths, variables, members, optional chains, calls.
 *
 * Every node carries its function; there is no switch over kinds. A path walks the binary jsonb
 * directly and falls back to the general read only where a step meets something that is no container
 * (the length of a string, a method). An optional chain that meets null sets ev->chain_broken, which
 * each link looks at and the chain's end takes back.
 */
#include "postgres.h"

#include "expr/internal.h"

#define STACK_ARGS 6			/* arguments and variables kept on the C stack up to this many */

void
wf_expr_eval_const(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	*out = ((const WfConstNode *) node)->value;
}

void
wf_expr_eval_local(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfLocalNode *local = (const WfLocalNode *) node;
	WfEnv	   *env = ev->env;

	for (int i = local->up; i > 0; i--)
		env = env->parent;
	*out = env->slots[local->slot];
	if (unlikely(out->tag == WF_V_HOLE))
	{
		ev->pos = node->pos;
		wf_expr_throw(ev, "a parameter is read before it has a value");
	}
}

/* -- paths -- */

/* The steps from number `i` on, on any value. */
static void
walk_values(WfEval *ev, const WfPathNode *path, int i, WfValue *value)
{
	for (; i < path->n; i++)
	{
		const WfPathStep *step = &path->steps[i];
		WfValue		key;
		WfValue		object = *value;

		if (step->optional && WF_IS_NULLISH(&object))
		{
			set_undefined(value);
			ev->chain_broken = (path->node.flags & WF_NF_CHAIN) != 0;
			return;
		}
		ev->pos = step->pos;
		if (step->key != NULL)
			wf_expr_get(ev, &object, step->key, step->len, value);
		else
		{
			set_number(&key, step->index);
			wf_expr_get_value(ev, &object, &key, value);
		}
	}
}

void
wf_expr_eval_path(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfPathNode *path = (const WfPathNode *) node;
	JsonbValue	at;
	JsonbValue	next;
	bool		found;
	int			i = 0;

	if (path->root == WF_ROOT_COUNT)
		found = ev->scope->node(ev->scope, path->node_index, path->part, &at);
	else
		found = ev->scope->root(ev->scope, path->root, &at);
	for (; found && i < path->n && at.type == jbvBinary; i++)
	{
		const WfPathStep *step = &path->steps[i];

		if (step->key != NULL)
		{
			if (JsonContainerIsArray(at.val.binary.data))
				break;
			found = wf_json_get(&at, step->key, step->len, &next);
		}
		else
		{
			if (JsonContainerIsObject(at.val.binary.data))
				break;
			found = wf_json_element(&at, step->index, &next);
		}
		if (!found && step->key != NULL)
		{
			/* a method read as a value, else undefined */
			WfValue		object;

			wf_expr_from_json(&at, &object);
			ev->pos = step->pos;
			wf_expr_get(ev, &object, step->key, step->len, out);
			walk_values(ev, path, i + 1, out);
			return;
		}
		if (found)
			at = next;
	}
	if (found)
		wf_expr_from_json(&at, out);
	else
		set_undefined(out);
	if (i < path->n)
		walk_values(ev, path, i, out);
}

void
wf_expr_eval_secret(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfPathStep *step = ((const WfPathNode *) node)->steps;
	JsonbValue	marker;

	ev->pos = node->pos;
	if (ev->scope == NULL || ev->scope->secret == NULL)
		wf_expr_throw(ev, "there are no secrets here");
	ev->scope->secret(ev->scope, step->key, step->len, &marker);
	wf_expr_from_json(&marker, out);
}

/* -- members -- */

/* Evaluates the object of a link; true when the chain ended there (out is then undefined). */
static inline bool
eval_object_of(WfEval *ev, const WfExprNode *node, WfValue *object, WfValue *out)
{
	node->a->eval(ev, node->a, object);
	if (unlikely(node->flags & (WF_NF_OPTIONAL | WF_NF_CHAIN)))
	{
		if (ev->chain_broken && (node->flags & WF_NF_CHAIN))
		{
			set_undefined(out);
			return true;
		}
		if ((node->flags & WF_NF_OPTIONAL) && WF_IS_NULLISH(object))
		{
			ev->chain_broken = true;
			set_undefined(out);
			return true;
		}
	}
	return false;
}

void
wf_expr_eval_member(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfMemberNode *member = (const WfMemberNode *) node;
	WfValue		object;

	if (eval_object_of(ev, node, &object, out))
		return;
	ev->pos = node->pos;
	wf_expr_get(ev, &object, member->key, member->len, out);
}

void
wf_expr_eval_index(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfValue		object;
	WfValue		key;

	if (eval_object_of(ev, node, &object, out))
		return;
	node->b->eval(ev, node->b, &key);
	ev->pos = node->pos;
	if (unlikely(WF_IS_NULLISH(&object)))
	{
		WfValue		name;

		wf_expr_to_string(ev, &key, &name);
		wf_expr_throw(ev, "cannot read property \"%.*s\" of %s", (int) Min(name.len, 64), name.u.str,
					  object.tag == WF_V_NULL ? "null" : "undefined");
	}
	wf_expr_get_value(ev, &object, &key, out);
}

/* The end of an optional chain. */
void
wf_expr_eval_chain(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	bool		outer = ev->chain_broken;

	ev->chain_broken = false;
	node->a->eval(ev, node->a, out);
	if (ev->chain_broken)
		set_undefined(out);
	ev->chain_broken = outer;
}

/* -- calls -- */

/* Evaluates arguments into *argv (of `room`), or into the arena when there are more or a spread. */
static int
eval_args(WfEval *ev, const WfCallNode *call, WfValue **argv, int room)
{
	WfArray    *list;

	if (!(call->node.flags & WF_NF_SPREAD))
	{
		if (call->n > room)
			*argv = wf_expr_alloc(ev, call->n * sizeof(WfValue));
		for (int i = 0; i < call->n; i++)
			call->args[i]->eval(ev, call->args[i], &(*argv)[i]);
		return call->n;
	}
	list = wf_expr_new_array(ev, call->n);
	for (int i = 0; i < call->n; i++)
	{
		const WfExprNode *arg = call->args[i];
		WfValue		value;
		WfItemIter	it;

		if (arg->kind != WF_N_SPREAD)
		{
			arg->eval(ev, arg, &value);
			*wf_expr_array_add(ev, list) = value;
			continue;
		}
		arg->a->eval(ev, arg->a, &value);
		ev->pos = arg->pos;
		wf_expr_items_begin(ev, &it, &value);
		while (wf_expr_items_next(ev, &it, &value))
		{
			if (value.tag == WF_V_HOLE)
				set_undefined(&value);
			*wf_expr_array_add(ev, list) = value;
		}
	}
	*argv = list->items;
	return list->count;
}

static void bind_pattern(WfEval *ev, const WfPattern *pattern, const WfValue *value, WfValue *slots);

static void
bind_object(WfEval *ev, const WfPattern *pattern, const WfValue *value, WfValue *slots)
{
	WfMap	   *taken = NULL;

	if (WF_IS_NULLISH(value))
		wf_expr_throw(ev, "cannot take properties of %s", value->tag == WF_V_NULL ? "null" : "undefined");
	if (pattern->n > 0 && pattern->parts[pattern->n - 1].rest)
		taken = wf_expr_new_map(ev);
	for (int i = 0; i < pattern->n; i++)
	{
		const WfPattern *part = &pattern->parts[i];
		WfValue		key;
		WfValue		member;

		if (part->rest)
		{
			WfObject   *rest = wf_expr_new_object(ev, 0);
			WfEntryIter it;

			wf_expr_entries_begin(ev, &it, value);
			while (wf_expr_entries_next(ev, &it, &key, &member))
				if (wf_expr_map_find(ev, taken, &key) == NULL)
					wf_expr_object_put(ev, rest, key.u.str, key.len, &member);
			set_object(&slots[part->slot], rest);
			continue;
		}
		if (part->computed != NULL)
		{
			part->computed->eval(ev, part->computed, &member);
			wf_expr_to_key(ev, &member, &key);
		}
		else
			set_string(&key, part->key, part->len, 0);
		if (taken != NULL)
			wf_expr_map_put(ev, taken, &key, &key);
		wf_expr_get(ev, value, key.u.str, key.len, &member);
		bind_pattern(ev, part, &member, slots);
	}
}

static void
bind_array(WfEval *ev, const WfPattern *pattern, const WfValue *value, WfValue *slots)
{
	WfItemIter	it;
	WfValue		item;
	bool		more = true;

	wf_expr_items_begin(ev, &it, value);
	for (int i = 0; i < pattern->n; i++)
	{
		const WfPattern *part = &pattern->parts[i];

		if (part->rest)
		{
			WfArray    *rest = wf_expr_new_array(ev, 0);

			while (more && wf_expr_items_next(ev, &it, &item))
			{
				if (item.tag == WF_V_HOLE)
					set_undefined(&item);
				*wf_expr_array_add(ev, rest) = item;
			}
			set_array(&item, rest);
			bind_pattern(ev, part, &item, slots);
			return;
		}
		if (more)
			more = wf_expr_items_next(ev, &it, &item);
		if (!more || item.tag == WF_V_HOLE)
			set_undefined(&item);
		bind_pattern(ev, part, &item, slots);
	}
}

/* Binds a value to the variables of a pattern. Recursion is bounded by the parser. */
static void
bind_pattern(WfEval *ev, const WfPattern *pattern, const WfValue *value, WfValue *slots)
{
	WfValue		given = *value;

	if (given.tag == WF_V_UNDEFINED && pattern->fallback != NULL)
		pattern->fallback->eval(ev, pattern->fallback, &given);
	switch (pattern->kind)
	{
		case WF_P_NAME:
			slots[pattern->slot] = given;
			break;
		case WF_P_OBJECT:
			bind_object(ev, pattern, &given, slots);
			break;
		case WF_P_ARRAY:
			bind_array(ev, pattern, &given, slots);
			break;
		case WF_P_HOLE:
			break;
	}
}

static void
bind_parameters(WfEval *ev, const WfArrowNode *arrow, int argc, WfValue *argv, WfValue *slots)
{
	for (int i = 0; i < arrow->n_slots; i++)
		slots[i].tag = WF_V_HOLE;	/* not to be read yet */
	for (int i = 0; i < arrow->n_params; i++)
	{
		const WfPattern *param = &arrow->params[i];

		if (param->rest)
		{
			WfArray    *rest = wf_expr_new_array(ev, 0);
			WfValue		value;

			for (int j = i; j < argc; j++)
				*wf_expr_array_add(ev, rest) = argv[j];
			set_array(&value, rest);
			bind_pattern(ev, param, &value, slots);
			return;
		}
		bind_pattern(ev, param, ARG(i), slots);
	}
}

/* Runs a function written in the expression. `argv` may be changed by nobody meanwhile. */
static void
call_closure(WfEval *ev, const WfClosure *closure, int argc, WfValue *argv, WfValue *out)
{
	const WfArrowNode *arrow = closure->arrow;
	WfValue		on_stack[STACK_ARGS];
	WfEnv		env_on_stack;
	WfEnv	   *env = &env_on_stack;
	WfEnv	   *outer = ev->env;
	bool		outer_broken = ev->chain_broken;

	wf_expr_spend(ev, 2);
	wf_expr_check_stack(ev);
	if (++ev->calls > WF_EXPR_MAX_CALLS)
		wf_expr_over(ev, "expression is nested too deeply");
	if (arrow->captured)
		env = wf_expr_alloc(ev, sizeof(WfEnv));
	env->parent = closure->env;
	env->slots = on_stack;
	if (arrow->captured || arrow->n_slots > STACK_ARGS)
		env->slots = wf_expr_alloc(ev, arrow->n_slots * sizeof(WfValue));
	ev->env = env;
	ev->chain_broken = false;
	if (arrow->simple)
	{
		for (int i = 0; i < arrow->n_slots; i++)
			env->slots[i] = *ARG(i);
	}
	else
		bind_parameters(ev, arrow, argc, argv, env->slots);
	arrow->body->eval(ev, arrow->body, out);
	ev->env = outer;
	ev->chain_broken = outer_broken;
	ev->calls--;
}

/* A method that was read as a value meets only receivers that have it. */
static void
check_receiver(WfEval *ev, const WfBuiltin *method, const WfValue *self)
{
	if (wf_expr_method(wf_expr_class(self), method->name, strlen(method->name)) != method)
		wf_expr_throw(ev, "\"%s\" is called on %s, which does not have it", method->name, wf_expr_kind_name(self));
}

void
wf_expr_call(WfEval *ev, const WfValue *fn, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_spend(ev, 1);
	switch (fn->tag)
	{
		case WF_V_CLOSURE:
			call_closure(ev, fn->u.closure, argc, argv, out);
			return;
		case WF_V_BUILTIN:
			if (unlikely(fn->flags & WF_F_METHOD))
				check_receiver(ev, fn->u.builtin, self);
			fn->u.builtin->fn(ev, self, argc, argv, out);
			return;
		case WF_V_NAMESPACE:
			if (fn->u.space->call != NULL)
			{
				fn->u.space->call(ev, self, argc, argv, out);
				return;
			}
			/* FALLTHROUGH */
		default:
			wf_expr_throw(ev, "%s is not a function", wf_expr_kind_name(fn));
	}
}

void
wf_expr_eval_call(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfCallNode *call = (const WfCallNode *) node;
	WfValue		callee;
	WfValue		on_stack[STACK_ARGS];
	WfValue    *argv = on_stack;
	int			argc;

	if (eval_object_of(ev, node, &callee, out))
		return;
	if (call->optional_call && WF_IS_NULLISH(&callee))
	{
		ev->chain_broken = true;
		set_undefined(out);
		return;
	}
	argc = eval_args(ev, call, &argv, STACK_ARGS);
	ev->pos = node->pos;
	wf_expr_call(ev, &callee, &wf_expr_undefined, argc, argv, out);
}

/* What a method call calls, when it is no built-in known at compile time. */
static void
find_callee(WfEval *ev, const WfCallNode *call, const WfValue *receiver, WfValue *callee, WfValue *name)
{
	if (call->key != NULL)
		set_string(name, call->key, call->len, 0);
	else
	{
		WfValue		key;

		call->node.b->eval(ev, call->node.b, &key);
		if (WF_IS_NULLISH(receiver))
			set_undefined(callee);
		wf_expr_to_key(ev, &key, name);
	}
	ev->pos = call->node.pos;
	if (WF_IS_NULLISH(receiver))
		wf_expr_throw(ev, "cannot read property \"%.*s\" of %s", (int) Min(name->len, 64), name->u.str,
					  receiver->tag == WF_V_NULL ? "null" : "undefined");
	if (!wf_expr_own_member(ev, receiver, name->u.str, name->len, callee))
	{
		const WfBuiltin *method = wf_expr_method(wf_expr_class(receiver), name->u.str, name->len);

		if (method == NULL)
			set_undefined(callee);
		else
		{
			callee->tag = WF_V_BUILTIN;
			callee->flags = 0;
			callee->u.builtin = method;
		}
	}
}

static void
no_such_method(WfEval *ev, const WfValue *receiver, const WfValue *name)
{
	const char *text = pnstrdup(name->u.str, Min(name->len, 64));
	const char *nearest = wf_expr_nearest_method(wf_expr_class(receiver), text);

	wf_expr_throw_hint(ev, nearest ? psprintf("Did you mean \"%s\"?", nearest) : NULL,
					   "\"%s\" is not a function of %s", text, wf_expr_kind_name(receiver));
}

void
wf_expr_eval_method(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfCallNode *call = (const WfCallNode *) node;
	const WfBuiltin *method = NULL;
	WfValue		receiver;
	WfValue		callee;
	WfValue		name;
	WfValue		on_stack[STACK_ARGS];
	WfValue    *argv = on_stack;
	int			argc;

	if (eval_object_of(ev, node, &receiver, out))
		return;
	if (call->key != NULL && !WF_IS_NULLISH(&receiver) && !is_plain_object(&receiver))
		method = call->ref.of[wf_expr_class(&receiver)];
	if (method == NULL)
	{
		find_callee(ev, call, &receiver, &callee, &name);
		if (call->optional_call && WF_IS_NULLISH(&callee))
		{
			ev->chain_broken = true;
			set_undefined(out);
			return;
		}
		if (!WF_IS_FUNCTION(&callee) && callee.tag != WF_V_NAMESPACE)
			no_such_method(ev, &receiver, &name);
	}
	argc = eval_args(ev, call, &argv, STACK_ARGS);
	ev->pos = node->pos;
	if (method != NULL)
	{
		wf_expr_spend(ev, 1);
		method->fn(ev, &receiver, argc, argv, out);
	}
	else
		wf_expr_call(ev, &callee, &receiver, argc, argv, out);
}

void
wf_expr_eval_new(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfCallNode *call = (const WfCallNode *) node;
	WfValue		on_stack[STACK_ARGS];
	WfValue    *argv = on_stack;
	int			argc = eval_args(ev, call, &argv, STACK_ARGS);

	ev->pos = node->pos;
	call->space->construct(ev, &wf_expr_undefined, argc, argv, out);
}

/* `$if(condition, value, otherwise)` */
void
wf_expr_eval_if(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfCallNode *call = (const WfCallNode *) node;
	WfValue		test;

	call->args[0]->eval(ev, call->args[0], &test);
	if (wf_expr_to_bool(&test))
		call->args[1]->eval(ev, call->args[1], out);
	else if (call->n > 2)
		call->args[2]->eval(ev, call->args[2], out);
	else
		set_undefined(out);
}
