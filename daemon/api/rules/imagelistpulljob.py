"""The rules of an ImageListPullJob: 1 to 255 images, and the template."""

from typing import Final

from daemon.api.fields import Field
from daemon.api.imagepulljob import ImageListPullJob, JobTemplate
from daemon.api.rules.metadata import read_metadata
from daemon.api.rules.template import TEMPLATE_FIELDS, read_image, read_template


MOST_IMAGES: Final = 255


def read_image_list_pull_job(document: Field) -> ImageListPullJob:
    """Read a list; its value means something only if no error was found."""
    document.is_object(("apiVersion", "kind", "metadata", "spec", "status"))
    metadata = read_metadata(document, is_namespaced=True)
    spec = document.child("spec")
    images: tuple[str, ...] = ()
    template = JobTemplate()
    if not spec.is_present:
        spec.required()
    elif spec.is_object(("images", *TEMPLATE_FIELDS)):
        images = _images(spec.child("images"))
        template = read_template(spec, is_list=True)
    return ImageListPullJob(
        api_version=document.child("apiVersion").string(""),
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        generation=metadata.generation,
        images=images,
        template=template,
    )


def _images(field: Field) -> tuple[str, ...]:
    """Equal texts are an error, as OpenKruise has it; two ways to write one image are a warning."""
    if not field.is_present or field.value == []:
        field.required("must have at least 1 item")
    images: dict[str, str] = {}
    written_as: dict[str, str] = {}
    for item in field.items(at_most=MOST_IMAGES):
        reference = read_image(item)
        if reference is None:
            continue
        text = str(item.value)
        if text in images:
            item.duplicate()
        elif reference.full in written_as:
            item.warn(f"{item.label}: the same image as {written_as[reference.full]}")
        images[text] = written_as.setdefault(reference.full, item.label)
    return tuple(images)
