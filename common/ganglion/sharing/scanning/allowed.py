"""What configs of bundles may name outside of MONAI: modules, functions, classes, attributes. All else is a finding.

Each list holds what cannot run code, open the network or change files, whatever its arguments are; where an argument
decides, the name is missing here and judged by `calls.py`.
"""


def _words(text: str) -> set[str]:
    return set(text.split())


def _under(prefix: str, names: str) -> set[str]:
    return {f"{prefix}.{name}" for name in names.split()}


# The only modules that a config may import, and the other names that they may be given.
MODULES = {
    *_words("copy datetime functools glob itertools json logging math os pathlib random sys time"),
    *_words("ignite ignite.metrics monai numpy torch torch.distributed torch.nn"),
}
ALIASES = {("numpy", "np"), ("torch.distributed", "dist"), ("torch.nn", "nn")}
# What MONAI gives every expression.
GIVEN = {"monai": "monai", "torch": "torch", "np": "numpy", "numpy": "numpy"}

BUILTINS = _words(
    "abs all any bool dict divmod enumerate filter float frozenset int isinstance len list map max min next print "
    "range reversed round set slice sorted str sum tuple zip"
)

_STANDARD = (
    _under("os.path", "abspath basename dirname exists isdir isfile join normpath realpath splitext")
    | _under("os", "getcwd listdir makedirs sep cpu_count")
    | _under("glob", "glob iglob")
    | _under("json", "loads dumps")
    | _under("math", "ceil cos e exp floor inf isclose log log10 log2 nan pi pow prod sin sqrt tau")
    | _under("copy", "copy deepcopy")
    | _under("itertools", "chain product repeat zip_longest")
    | _under("functools", "partial reduce")
    | _under("pathlib", "Path PurePath PurePosixPath")
    | _under("datetime", "date date.today datetime datetime.now datetime.today timedelta")
    | _under("time", "strftime time")
    | _under("random", "seed random randint uniform choice sample")
    | _under("logging", "DEBUG INFO WARNING ERROR CRITICAL getLogger")
)

_DTYPES = "bfloat16 bool complex64 double float float16 float32 float64 half int int16 int32 int64 int8 long uint8"
_TORCH = (
    _under("torch", _DTYPES)
    | _under("torch", "channels_last channels_last_3d contiguous_format preserve_format strided inf nan pi")
    | _under("torch", "abs all any arange argmax argmin as_tensor cat ceil clamp clip concat cos cumsum device diff")
    | _under("torch", "div empty equal exp eye flatten flip floor from_numpy full full_like gather isfinite isnan")
    | _under("torch", "linspace log logical_and logical_not logical_or manual_seed max maximum mean median min minimum")
    | _under("torch", "mul nan_to_num nn.init.kaiming_normal_ nn.init.normal_ nn.init.xavier_uniform_ no_grad norm")
    | _under("torch", "ones ones_like permute pow prod quantile rand rand_like randint randn randn_like randperm")
    | _under("torch", "reshape round set_float32_matmul_precision sigmoid sign sin softmax sort split sqrt square")
    | _under("torch", "squeeze stack std sub sum swapaxes tanh tensor tile topk transpose unbind unique unsqueeze var")
    | _under(
        "torch", "where zeros zeros_like inference_mode enable_grad Generator Size Tensor float_power Tensor.float"
    )
    | _under(
        "torch.cuda", "current_device device_count empty_cache get_device_name is_available set_device synchronize"
    )
    | _under("torch.backends", "cudnn.benchmark cudnn.deterministic mps.is_available")
    | _under("torch.distributed", "barrier destroy_process_group get_rank get_world_size is_available is_initialized")
    | _under("torch.nn.functional", "avg_pool2d avg_pool3d cross_entropy binary_cross_entropy_with_logits")
    | _under("torch.nn.functional", "gelu interpolate l1_loss leaky_relu log_softmax max_pool2d max_pool3d mse_loss")
    | _under("torch.nn.functional", "nll_loss normalize one_hot pad relu sigmoid smooth_l1_loss softmax softplus tanh")
    | _under("torch.nn.parallel", "DataParallel DistributedDataParallel")
    | _under("torch.nn.utils", "clip_grad_norm_ clip_grad_value_")
    | _under("torch.optim.swa_utils", "AveragedModel SWALR")
    | _under("torch.amp", "GradScaler autocast")
    | _under("torch.cuda.amp", "GradScaler autocast")
    | _under("torch.utils.data", "ConcatDataset DataLoader Dataset RandomSampler SequentialSampler Subset")
    | _under("torch.utils.data", "TensorDataset WeightedRandomSampler random_split distributed.DistributedSampler")
    | _under("torch.utils.tensorboard", "SummaryWriter")
)

_NUMPY = (
    _under(
        "numpy", "bool_ float16 float32 float64 int16 int32 int64 int8 uint16 uint32 uint64 uint8 inf nan newaxis pi"
    )
    | _under("numpy", "abs all any arange argmax argmin argsort array asarray ceil clip concatenate cos cumsum deg2rad")
    | _under("numpy", "diff divide dot empty exp expand_dims eye flip floor full linspace log logical_and logical_not")
    | _under("numpy", "logical_or max maximum mean median min minimum multiply nan_to_num ones ones_like percentile")
    | _under("numpy", "prod random.default_rng random.rand random.randint random.seed random.uniform ravel repeat")
    | _under("numpy", "reshape round sin sqrt squeeze stack std sum tan tile transpose unique where zeros zeros_like")
    | _under("numpy.linalg", "det inv norm")
)

_IGNITE = _under("ignite.engine", "Events Engine") | _under(
    "ignite.handlers", "EMAHandler EarlyStopping TerminateOnNan"
)

NAMES = _STANDARD | _TORCH | _NUMPY | _IGNITE
# Families in which every public class is a layer, an optimiser, a schedule or a metric.
CLASS_FAMILIES = {"torch.nn", "torch.optim", "torch.optim.lr_scheduler", "ignite.metrics"}

# What may follow a dot on an object that the config made. A method that changes files is not here: `replace`, which
# texts and paths both have, is judged by its arguments.
ATTRIBUTES = _words(  # texts, lists, dictionaries, paths, dates
    "append copy count days endswith exists extend get index isoformat items join keys lower lstrip mkdir name parent "
    "pop read_text rsplit rstrip seconds sort split splitlines startswith stem strftime strip suffix title "
    "total_seconds update upper values zfill "
    # tensors and arrays
    "T abs all any argmax argmin astype batch_size bool ceil chunk clamp clip clone contiguous cpu cuda detach device "
    "dim double dtype exp expand flatten flip float floor half int item ndim ndarray long max mean median min mul ndim "
    "nonzero norm numel numpy permute pow prod requires_grad_ reshape round shape sigmoid size softmax sqrt square "
    "squeeze std sum swapaxes tensor to tolist transpose type unsqueeze var view "
    # networks, optimisers, data sets, engines
    "add_module apply buffers children dataset data decoder disable_share_memory_cache encoder epoch eval forward "
    "fusion generate inferer iteration load_state_dict logger lr max_epochs metrics module modules named_modules "
    "named_parameters network optimizer output param_groups parameters postprocessing sample setLevel setlevel state "
    "state_dict step train transform transforms translator zero_grad "
    # MONAI's keys
    "IMAGE LABEL PRED LOSS REALS FAKES LATENTS "
    # ignite's events
    "EPOCH_COMPLETED EPOCH_STARTED ITERATION_COMPLETED COMPLETED STARTED"
)

# Variables of the environment that say where a process runs; others may hold secrets.
ENVIRONMENT = {"LOCAL_RANK", "RANK", "WORLD_SIZE", "CUDA_VISIBLE_DEVICES", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK"}
