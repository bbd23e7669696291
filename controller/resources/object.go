package resources

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// loader makes objects of one document.
type loader struct {
	table  kindTable
	doc    document
	tree   tree
	result result
}

// object is one object while it is read: the document itself, or an item of a list.
type object struct {
	content map[string]any
	path    string // in the document: "" or "items[3]"
	id      string
	kind    *loadedKind
}

// problem reports a field of an object, with its line in the file.
func (l *loader) problem(o *object, fieldPath, text string) {
	p := l.doc.problem(l.line(o, fieldPath), fieldPath, text)
	p.Object = o.id
	l.result.problems = append(l.result.problems, p)
}

func (l *loader) line(o *object, fieldPath string) int {
	return l.tree.lineOf(l.node(), strings.TrimPrefix(o.path+"."+fieldPath, "."))
}

func (l *loader) node() *yaml.Node { return l.tree.node }

// add takes an object, or a list of them.
func (l *loader) add(content map[string]any, path string) {
	o := &object{content: content, path: path}
	apiVersion, hasVersion := content["apiVersion"].(string)
	kindName, hasKind := content["kind"].(string)
	o.id = strings.TrimSpace(kindName + " " + nameOf(content, false))
	switch {
	case content["apiVersion"] == nil && content["kind"] == nil && path == "":
		l.result.problems = append(l.result.problems, l.doc.problem(l.tree.line, "", noObject(l.doc.source)))
		return
	case !hasKind || kindName == "":
		l.problem(o, "kind", "missing: every object needs apiVersion and kind, as text")
		return
	case !hasVersion || apiVersion == "":
		l.problem(o, "apiVersion", "missing: every object needs apiVersion and kind, as text")
		return
	}
	group, version := "", apiVersion
	if g, v, ok := strings.Cut(apiVersion, "/"); ok {
		group, version = g, v
	}
	if items, isList := content["items"].([]any); isList && l.isList(group, kindName) {
		l.addItems(o, items, apiVersion, strings.TrimSuffix(kindName, "List"))
		return
	}
	o.kind = l.table[[2]string{group, kindName}]
	switch {
	case o.kind != nil:
		l.addKind(o, version)
	case kindName == "List" && group == "" && content["items"] == nil:
		// An empty list, as "kubectl get" gives it.
	case group == gatewayGroup && !otherGatewayKinds[kindName]:
		l.problem(o, "kind", "the Gateway API has no such kind"+l.table.suggest(kindName))
	default:
		l.result.ignored = append(l.result.ignored, kindName+" ("+apiVersion+")")
	}
}

// isList says whether a kind is a list: v1 List, or the list of a kind that is kept, as GRPCRouteList.
func (l *loader) isList(group, kindName string) bool {
	element := l.table[[2]string{group, strings.TrimSuffix(kindName, "List")}]
	return kindName == "List" && group == "" || strings.HasSuffix(kindName, "List") && element != nil
}

// addItems takes a list's objects. In a list of one kind they may leave out what the list says.
func (l *loader) addItems(list *object, items []any, apiVersion, element string) {
	for i, item := range items {
		path := strings.TrimPrefix(fmt.Sprintf("%s.items[%d]", list.path, i), ".")
		content, ok := item.(map[string]any)
		if !ok {
			l.problem(list, fmt.Sprintf("items[%d]", i), "not an object: start with apiVersion and kind")
			continue
		}
		if element != "" {
			for key, value := range map[string]string{"apiVersion": apiVersion, "kind": element} {
				if _, there := content[key]; !there {
					content[key] = value
				}
			}
		}
		l.add(content, path)
	}
}

// nameOf is "namespace/name" as far as an object tells, or the name alone for kinds without namespaces.
func nameOf(content map[string]any, cluster bool) string {
	metadata, _ := content["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	if name == "" || cluster || namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// addKind reads an object of a kind that is kept.
func (l *loader) addKind(o *object, version string) {
	note, old := o.kind.accepted[version]
	if version != o.kind.version && !old {
		l.problem(o, "apiVersion", fmt.Sprintf("%q is no version of this kind that is known here: use %s", o.content["apiVersion"],
			o.kind.versions()))
		return
	}
	before := len(l.result.problems)
	typed := o.kind.new()
	metadata := l.metadata(o)
	if metadata != nil {
		o.content["apiVersion"] = o.kind.apiVersion()
		l.content(o, typed)
	}
	if len(l.result.problems) > before {
		return
	}
	if note != "" {
		at := place(l.doc.source, l.doc.number, l.line(o, "apiVersion"))
		l.result.notes = append(l.result.notes, Note{Source: at, Object: o.id, Text: "version " + version + " " + note})
	}
	l.result.objects = append(l.result.objects, loaded{
		kind: o.kind, object: typed, id: o.id, doc: l.doc, line: l.line(o, ""),
	})
}

// metadata checks an object's metadata, sets what kubectl and an API server set, and fixes the object's name for
// messages. It returns nil when there is no telling which object it is.
func (l *loader) metadata(o *object) *metav1.ObjectMeta {
	if raw, there := o.content["metadata"]; there {
		if _, isMap := raw.(map[string]any); !isMap {
			l.problem(o, "metadata", "not a mapping: write name and namespace below it")
			return nil
		}
	} else {
		o.content["metadata"] = map[string]any{}
	}
	meta, _, unknown, err := objectmeta.GetObjectMetaWithOptions(o.content, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		where, text := decodeError(o.content["metadata"], err)
		l.problem(o, strings.TrimSuffix("metadata."+where, "."), text)
		return nil
	}
	if o.kind.cluster && meta.Namespace != "" {
		// kubectl leaves it out too.
		meta.Namespace = ""
	}
	if !o.kind.cluster && meta.Namespace == "" {
		meta.Namespace = metav1.NamespaceDefault
	}
	if meta.Generation == 0 {
		meta.Generation = 1
	}
	if err := objectmeta.SetObjectMeta(o.content, meta); err != nil {
		l.problem(o, "metadata", err.Error())
		return nil
	}
	o.id = strings.TrimSpace(o.kind.kind.kind + " " + nameOf(o.content, o.kind.cluster))
	for _, path := range unknown {
		l.unknownField(o, path)
	}
	if meta.Name == "" {
		l.problem(o, "metadata.name", "missing: give the object a name")
		return nil
	}
	if errs := validation.ValidateObjectMeta(meta, !o.kind.cluster, o.kind.validName(), field.NewPath("metadata")); len(errs) > 0 {
		l.fieldErrors(o, errs)
	}
	return meta
}

// validName is the rule for a kind's names. Services and Namespaces are parts of host names, so they have no dots.
func (k *loadedKind) validName() validation.ValidateNameFunc {
	if k.kind.kind == "Service" || k.kind.kind == "Namespace" {
		return validation.NameIsDNSLabel
	}
	return validation.NameIsDNSSubdomain
}

func (l *loader) unknownField(o *object, path string) {
	l.problem(o, path, "unknown field: remove it or check its spelling")
}

func (l *loader) fieldErrors(o *object, errs field.ErrorList) {
	for _, err := range errs {
		path := err.Field
		if path == "<nil>" {
			path = ""
		}
		l.problem(o, path, explainError(err))
	}
}

// content checks all but the metadata, and fills the typed object.
func (l *loader) content(o *object, typed metav1.Object) {
	if o.kind.resource == "" {
		l.coreContent(o, typed)
		return
	}
	s, err := o.kind.schema()
	if err != nil {
		l.problem(o, "", "the schema of this kind can't be read: "+err.Error())
		return
	}
	// What a file says of status counts as little as when it is applied to a cluster; "kubectl get -o yaml" has it.
	delete(o.content, "status")
	s.setDefaults(o.content)
	for _, path := range s.unknownFields(o.content) {
		l.unknownField(o, path)
	}
	errs, err := s.validate(o.content)
	if err != nil {
		l.problem(o, "", "the schema of this kind can't be read: "+err.Error())
		return
	}
	if len(errs) > 0 {
		l.fieldErrors(o, errs)
		return
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.content, typed); err != nil {
		where, text := decodeError(o.content, decodeAgain(o.content, typed, err))
		l.problem(o, where, text)
	}
}

// coreContent reads a kind of Kubernetes itself: strictly, and with the checks that would hurt later.
func (l *loader) coreContent(o *object, typed metav1.Object) {
	if o.kind.kind.kind == "Secret" && !l.secretData(o) {
		return
	}
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.content, typed, true)
	if strict, ok := runtime.AsStrictDecodingError(err); ok {
		for _, e := range strict.Errors() {
			l.unknownField(o, unknownPath(e))
		}
		return
	}
	if err != nil {
		where, text := decodeError(o.content, decodeAgain(o.content, typed, err))
		l.problem(o, where, text)
		return
	}
	l.fieldErrors(o, o.kind.finish(typed))
}

var quotedPath = regexp.MustCompile(`"(.*)"`)

// unknownPath takes the path from the error of strict decoding.
func unknownPath(err error) string {
	if m := quotedPath.FindStringSubmatch(err.Error()); m != nil {
		return strings.TrimPrefix(m[1], ".")
	}
	return err.Error()
}

// decodeAgain decodes an object that the converter refused by way of JSON, whose error names the field.
func decodeAgain(content map[string]any, typed metav1.Object, err error) error {
	data, marshalErr := json.Marshal(content)
	if marshalErr != nil {
		return err
	}
	if again := json.Unmarshal(data, typed); again != nil {
		return again
	}
	return err
}

// decodeError words an error of decoding into a Go type: the field, where the error has it, and the text.
func decodeError(content any, err error) (fieldPath, text string) {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return indexed(content, wrongType.Field), fmt.Sprintf("a %s stands where a %s belongs: check the value and its quotes", wrongType.Value,
			wanted(wrongType))
	}
	return "", err.Error() + ": check the value"
}

// indexed writes the places in lists of a path as all others have them: "ports[0].port" for "ports.0.port".
func indexed(content any, path string) string {
	var out strings.Builder
	for i, step := range strings.Split(path, ".") {
		list, isList := content.([]any)
		if at, err := strconv.Atoi(step); isList && err == nil && at >= 0 && at < len(list) {
			out.WriteString("[" + step + "]")
			content = list[at]
			continue
		}
		fields, _ := content.(map[string]any)
		content = fields[step]
		if i > 0 {
			out.WriteByte('.')
		}
		out.WriteString(step)
	}
	return out.String()
}

// wanted names what JSON calls a Go type.
func wanted(err *json.UnmarshalTypeError) string {
	switch kind := err.Type.Kind().String(); {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"), strings.HasPrefix(kind, "float"):
		return "number"
	case kind == "slice":
		return "list"
	case kind == "struct", kind == "map":
		return "mapping"
	default:
		return kind
	}
}
