//! The fields that the `Debug`s of the sources read, derived or written by hand, and what their types are made of.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a source that cannot be read is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprField, Fields, GenericArgument, ItemEnum, ItemImpl, ItemMod, ItemStruct,
    ItemType, ItemUse, Member, Pat, PatStruct, PatTupleStruct, Path, PathArguments, Type, UseTree,
};

use crate::house::ROOMS;

/// A field that a `Debug` reads.
pub(super) struct Field {
    /// `room::Type.field` or `room::Type::Variant.field`; for all that `Display` shows `room::Type.Display`.
    pub(super) name: String,
    pub(super) file: String,
    /// The names in its type; those of other crates with the crate in front.
    pub(super) types: BTreeSet<String>,
}

/// What the sources hold beside their tests.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) fields: Vec<Field>,
    /// The names of all types.
    pub(super) types: BTreeSet<String>,
}

/// One file.
#[derive(Default)]
struct Reader {
    /// Types by their names: each field as `.field` or `::Variant.field`, and whether it is shown.
    types: BTreeMap<String, Vec<(String, Type, bool)>>,
    by_hand: Vec<ItemImpl>,
    /// What is imported from other crates, by the name that it has here.
    imported: BTreeMap<String, String>,
    /// Other names of types.
    aliases: BTreeMap<String, Type>,
    tests: Vec<String>,
}

/// Reads sources, each with its path.
pub(super) fn survey(sources: &[(String, String)]) -> Survey {
    let mut readers: Vec<(&str, Reader)> = Vec::new();
    for (path, text) in sources {
        let mut reader = Reader::default();
        reader.visit_file(&syn::parse_file(text).expect(path));
        reader.read_by_hand();
        readers.push((path, reader));
    }
    let tests = readers.iter().flat_map(|(path, reader)| {
        let module = path.trim_end_matches(".rs");
        let module = module.trim_end_matches("/mod").trim_end_matches("/lib");
        reader
            .tests
            .iter()
            .map(move |test| format!("{module}/{test}"))
    });
    let tests: Vec<String> = tests.collect();
    let is_test = |path: &str| {
        let mut tests = tests
            .iter()
            .filter_map(|test| path.strip_prefix(test.as_str()));
        tests.any(|rest| rest.starts_with(['.', '/']))
    };
    let mut survey = Survey::default();
    for (path, reader) in readers.into_iter().filter(|(path, _)| !is_test(path)) {
        let inside = path.trim_start_matches("src/");
        let room = inside.split(['/', '.']).next().unwrap_or_default();
        for (name, fields) in &reader.types {
            for (field, of, _) in fields.iter().filter(|(.., is_shown)| *is_shown) {
                survey.fields.push(Field {
                    name: format!("{room}::{name}{field}"),
                    file: path.to_owned(),
                    types: reader.names_in(of),
                });
            }
        }
        survey.types.extend(reader.types.into_keys());
    }
    survey
}

impl Reader {
    fn add(&mut self, name: &str, variant: &str, fields: &Fields, is_shown: bool) {
        let named = fields.iter().enumerate().map(|(number, field)| {
            let name = field
                .ident
                .as_ref()
                .map_or(number.to_string(), ToString::to_string);
            (format!("{variant}.{name}"), field.ty.clone(), is_shown)
        });
        self.types.entry(name.to_owned()).or_default().extend(named);
    }

    /// Marks what a `Debug` that is written by hand reads of its type.
    fn read_by_hand(&mut self) {
        for by_hand in std::mem::take(&mut self.by_hand) {
            let mut read = Read::default();
            read.visit_item_impl(&by_hand);
            let Type::Path(of) = &*by_hand.self_ty else {
                continue;
            };
            let Some(fields) = last(&of.path).and_then(|name| self.types.get_mut(&name)) else {
                continue;
            };
            for (field, _, is_shown) in fields.iter_mut() {
                *is_shown |= read.0.contains(field);
            }
            if read.0.contains(DISPLAY) {
                let text = syn::parse_str("String").unwrap();
                fields.push((DISPLAY.to_owned(), text, true));
            }
        }
    }

    fn names_in(&self, of: &Type) -> BTreeSet<String> {
        let mut names = Names {
            imported: &self.imported,
            aliases: &self.aliases,
            found: BTreeSet::new(),
        };
        names.visit_type(of);
        names.found
    }

    fn import(&mut self, tree: &UseTree, from: &str) {
        match tree {
            UseTree::Path(path) => self.import(&path.tree, from),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, from)),
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.imported
                    .insert(name.clone(), format!("{from}::{name}"));
            }
            UseTree::Rename(name) => {
                let real = format!("{from}::{}", name.ident);
                self.imported.insert(name.rename.to_string(), real);
            }
            UseTree::Glob(_) => {}
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item_mod(&mut self, module: &'a ItemMod) {
        match (has(&module.attrs, "cfg", "test"), &module.content) {
            (true, None) => self.tests.push(module.ident.to_string()),
            (true, Some(_)) => {}
            (false, _) => visit::visit_item_mod(self, module),
        }
    }

    fn visit_item_struct(&mut self, of: &'a ItemStruct) {
        let is_shown = has(&of.attrs, "derive", "Debug");
        self.add(&of.ident.to_string(), "", &of.fields, is_shown);
    }

    fn visit_item_enum(&mut self, of: &'a ItemEnum) {
        let is_shown = has(&of.attrs, "derive", "Debug");
        for variant in &of.variants {
            let name = format!("::{}", variant.ident);
            self.add(&of.ident.to_string(), &name, &variant.fields, is_shown);
        }
    }

    fn visit_item_impl(&mut self, of: &'a ItemImpl) {
        let of_what = of.trait_.as_ref().and_then(|(path, _)| last(path));
        if of_what.is_some_and(|name| name == "Debug") {
            self.by_hand.push(of.clone());
        }
        visit::visit_item_impl(self, of);
    }

    fn visit_item_type(&mut self, of: &'a ItemType) {
        self.aliases.insert(of.ident.to_string(), (*of.ty).clone());
    }

    fn visit_item_use(&mut self, of: &'a ItemUse) {
        if let UseTree::Path(path) = &of.tree
            && is_foreign(&path.ident.to_string())
        {
            self.import(&path.tree, &path.ident.to_string());
        }
    }
}

/// The fields that a piece of code reads of `self`.
#[derive(Default)]
struct Read(BTreeSet<String>);

const DISPLAY: &str = ".Display";

impl<'a> Visit<'a> for Read {
    fn visit_expr_field(&mut self, of: &'a ExprField) {
        if matches!(&*of.base, Expr::Path(base) if base.path.is_ident("self")) {
            self.0.insert(format!(".{}", member(&of.member)));
        }
        visit::visit_expr_field(self, of);
    }

    fn visit_pat_struct(&mut self, of: &'a PatStruct) {
        for field in &of.fields {
            self.0
                .insert(format!("{}.{}", variant(&of.path), member(&field.member)));
        }
    }

    fn visit_pat_tuple_struct(&mut self, of: &'a PatTupleStruct) {
        let elements = of.elems.iter().enumerate();
        for (number, _) in elements.filter(|(_, one)| !matches!(one, Pat::Wild(_))) {
            self.0.insert(format!("{}.{number}", variant(&of.path)));
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        if path.segments.iter().any(|part| part.ident == "Display") {
            self.0.insert(DISPLAY.to_owned());
        }
        visit::visit_path(self, path);
    }
}

/// The names that a type is made of.
struct Names<'a> {
    imported: &'a BTreeMap<String, String>,
    aliases: &'a BTreeMap<String, Type>,
    found: BTreeSet<String>,
}

impl<'a> Visit<'a> for Names<'_> {
    fn visit_type(&mut self, of: &'a Type) {
        match of {
            // What was there when the program was built is nobody's.
            Type::Reference(to)
                if to
                    .lifetime
                    .as_ref()
                    .is_some_and(|life| life.ident == "static") => {}
            Type::Slice(slice) if is_byte(&slice.elem) => self.find("[u8]"),
            Type::Array(array) if is_byte(&array.elem) => self.find("[u8]"),
            _ => visit::visit_type(self, of),
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        let (Some(first), Some(last)) = (path.segments.first(), path.segments.last()) else {
            return;
        };
        let (crate_, name) = (first.ident.to_string(), last.ident.to_string());
        if let PathArguments::AngleBracketed(of) = &last.arguments {
            match of.args.first() {
                // Of the descriptions of providers.
                Some(GenericArgument::Lifetime(life)) if life.ident == "static" => return,
                Some(GenericArgument::Type(item)) if is_byte(item) => self.find("[u8]"),
                _ => {}
            }
        }
        if path.segments.len() == 1
            && let Some(of) = self.aliases.get(&name)
        {
            return self.visit_type(of);
        }
        match self.imported.get(&name) {
            _ if path.segments.len() > 1 && is_foreign(&crate_) => {
                self.find(&format!("{crate_}::{name}"));
            }
            Some(real) if path.segments.len() == 1 => self.find(real),
            _ => self.find(&name),
        }
        visit::visit_path(self, path);
    }
}

impl Names<'_> {
    fn find(&mut self, name: &str) {
        self.found.insert(name.to_owned());
    }
}

fn is_foreign(name: &str) -> bool {
    name == "std" || ROOMS.iter().any(|(known, _)| *known == name)
}

fn is_byte(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.path.is_ident("u8"))
}

/// Whether an attribute `outer(.., inner, ..)` is among these.
fn has(attributes: &[Attribute], outer: &str, inner: &str) -> bool {
    let mut found = false;
    for attribute in attributes.iter().filter(|one| one.path().is_ident(outer)) {
        // What cannot be read so (`any(...)`, `feature = ...`) is another one.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident(inner);
            Ok(())
        });
    }
    found
}

fn last(path: &Path) -> Option<String> {
    path.segments.last().map(|part| part.ident.to_string())
}

/// `::Variant` of `Self::Variant`, nothing of `Self`.
fn variant(path: &Path) -> String {
    match path.segments.len() {
        0 | 1 => String::new(),
        _ => format!("::{}", last(path).unwrap_or_default()),
    }
}

fn member(of: &Member) -> String {
    match of {
        Member::Named(name) => name.to_string(),
        Member::Unnamed(number) => number.index.to_string(),
    }
}
