"""The classes and functions of MONAI that a config may name: those that compute, and those that read and write images.

Taken from MONAI 1.6.1 and pruned by hand of what runs programs, imports or fetches code, sends numbers to a server, or
writes a text that it is given: `monai.bundle`, `monai.utils.run_cmd`, `PerceptualLoss` (`torch.hub`), `MLFlowHandler`,
`LogfileHandler` (any file, any format), `TorchVision` (a name to look up) and their like are missing on purpose.
"""


def _words(text: str) -> set[str]:
    return set(text.split())


# A transform `X` stands for its dictionary forms `Xd`, `XD` and `XDict` as well.
PACKAGES: dict[str, set[str]] = {
    "monai.transforms": _words(
        "Activations AddCoordinateChannels AddExtremePointsChannel AdjustContrast Affine AffineGrid ApplyPending "
        "ApplyTransformToPoints AsChannelLast AsDiscrete BatchInverseTransform BorderPad BoundingRect CastToType "
        "CenterScaleCrop CenterSpatialCrop ClassesToIndices ClipIntensityPercentiles Compose ComputeHoVerMaps "
        "ConcatItemsd ConvertBoxToPoints ConvertPointsToBoxes ConvertToMultiChannelBasedOnBratsClasses CopyItemsd "
        "Crop CropForeground CutMix CutOut DataStats Decollated DeleteItemsd DetectEnvelope DisplacementField "
        "DistanceTransformEDT DivisiblePad Ensemble EnsureChannelFirst EnsureType FgBgToIndices FillHoles "
        "FlattenSequence FlattenSubKeysd Flip ForegroundMask Fourier FromMetaTensord GaussianSharpen GaussianSmooth "
        "GenerateHeatmap GibbsNoise GridDistortion GridPatch GridSplit HistogramNormalize Identity ImageFilter "
        "IntensityRemap IntensityStats Invert InvertibleTrait InvertibleTransform KSpaceSpikeNoise "
        "KeepLargestConnectedComponent LabelFilter LabelToContour LabelToMask Lambda LazyTrait LazyTransform "
        "LoadImage MapLabelValue MapTransform Mark MaskIntensity MeanEnsemble MedianSmooth MixUp Mixer "
        "MultiSampleTrait NormalizeIntensity OneOf Orientation Pad PadListDataCollate ProbNMS Rand2DElastic "
        "Rand3DElastic RandAdjustContrast RandAffine RandAffineGrid RandAxisFlip RandBiasField RandCoarseDropout "
        "RandCoarseShuffle RandCoarseTransform RandCropByLabelClasses RandCropByPosNegLabel RandCropd RandDeformGrid "
        "RandFlip RandGaussianNoise RandGaussianSharpen RandGaussianSmooth RandGibbsNoise RandGridDistortion "
        "RandGridPatch RandHistogramShift RandIdentity RandImageFilter RandIntensityRemap RandKSpaceSpikeNoise "
        "RandLambda RandMark RandRangePop RandRangePush RandRicianNoise RandRotate RandRotate90 RandScaleCrop "
        "RandScaleIntensity RandScaleIntensityFixedMean RandShiftIntensity RandSimulateLowResolution RandSmoothDeform "
        "RandSmoothFieldAdjustContrast RandSmoothFieldAdjustIntensity RandSpatialCrop RandSpatialCropSamples "
        "RandStdShiftIntensity RandWeightedCrop RandZoom RandomOrder Randomizable RandomizableTrait "
        "RandomizableTransform RangePop RangePush ReduceTrait RemoveRepeatedChannel RemoveSmallObjects RepeatChannel "
        "Resample ResampleToMatch Resize ResizeWithPadOrCrop Rotate Rotate90 SaveClassificationd SaveImage "
        "SavitzkyGolaySmooth ScaleIntensity ScaleIntensityFixedMean ScaleIntensityRange "
        "ScaleIntensityRangePercentiles SelectItemsd ShiftIntensity SignalContinuousWavelet SignalFillEmpty "
        "SignalRandAddGaussianNoise SignalRandAddSine SignalRandAddSinePartial SignalRandAddSquarePulse "
        "SignalRandAddSquarePulsePartial SignalRandDrop SignalRandScale SignalRandShift SignalRemoveFrequency "
        "SimulateDelay SmoothField SobelGradients SomeOf Spacing SpatialCrop SpatialPad SpatialResample SplitDim "
        "SqueezeDim StdShiftIntensity ThresholdIntensity ToCupy ToDevice ToMetaTensord ToNumpy ToPIL ToTensor "
        "TraceableTransform Transform TransformPointsImageToWorldd TransformPointsWorldToImaged Transpose "
        "UltrasoundConfidenceMapTransform VoteEnsemble Zoom allow_missing_keys_mode concatenate"
    ),
    "monai.networks.nets": _words(
        "AEKLDownsample AEKLResBlock AHNet AHnet AbsolutePositionalEmbedding AdditiveUpSampleBlock AffineHead Ahnet "
        "AsymmetricPad Attention AttentionBlock AttentionLayer AttentionModule AttentionUnet AttnDownBlock "
        "AttnMidBlock AttnUpBlock AutoEncoder AutoencoderKL BasicLayer BasicUNet BasicUNetPlusPlus BasicUnet "
        "BasicUnetPlusPlus Basicunet BasicunetPlusPlus BlockArgs Bottleneck Bottleneck3x3x1 Cell CellInterface "
        "CheckpointUNet ClassMappingClassify Classifier ClassifierBlock ControlNet ControlNetConditioningEmbedding "
        "ConvBlock ConvConcatDenseBlock Critic CrossAttnDownBlock CrossAttnMidBlock CrossAttnUpBlock DAF3D Daf3dASPP "
        "Daf3dBackbone Daf3dBackboneWithFPN Daf3dFPN Daf3dResNet Daf3dResNetBottleneck Daf3dResNetDilatedBottleneck "
        "Decoder DecoderOnlyTransformer DenseBlock DenseNet DenseNet121 DenseNet169 DenseNet201 DenseNet264 Densenet "
        "Densenet121 Densenet169 Densenet201 Densenet264 DiNTS DiffusionModelEncoder DiffusionModelUNet "
        "DiffusionUNetResnetBlock DiffusionUNetTransformerBlock DiffusionUnetDownsample Discriminator Down DownBlock "
        "DownTransition DynUNet DynUNetSkipLayer DynUnet Dynunet EfficientNet EfficientNetBN EfficientNetBNFeatures "
        "EfficientNetEncoder Encoder Final FlexUNet FlexibleUNet FullyConnectedNet Generator GlobalNet HighResBlock "
        "HighResNet HoVerNet HoVernet HoverNet Hovernet InputTransition LUConv LocalNet MBConvBlock "
        "MDTATransformerBlock MILModel MLP MaskedAutoEncoderViT MedNeXt MedNeXtB MedNeXtBase MedNeXtL MedNeXtLarge "
        "MedNeXtM MedNeXtMedium MedNeXtS MedNeXtSmall MedNext MedNextB MedNextBase MedNextL MedNextLarge MedNextM "
        "MedNextMedium MedNextS MedNextSmall MixedOp MultiScalePatchDiscriminator NaViT NetAdapter OutputTransition "
        "OverlapPatchEmbed PSP PatchDiscriminator PatchMerging PatchMergingV2 PointMappingSAM PositionEmbeddingRandom "
        "Projection Pseudo3DLayer Quicknat RegUNet Regressor ResNet ResNetBlock ResNetBottleneck ResNetEncoder "
        "ResNetFeatures Restormer SENet SENet154 SEResNeXt101 SEResNeXt50 SEResNet101 SEResNet152 SEResNet50 "
        "SEResNext101 SEResNext50 SEnet SEnet154 SEresnet101 SEresnet152 SEresnet50 SEresnext101 SEresnext50 "
        "SPADEAttnUpBlock SPADEAutoencoderKL SPADECrossAttnUpBlock SPADEDecoder SPADEDiffResBlock "
        "SPADEDiffusionModelUNet SPADEEncoder SPADENet SPADENetResBlock SPADEResBlock SPADEUpBlock SegResBlock "
        "SegResEncoder SegResNet SegResNetDS SegResNetDS2 SegResNetVAE SegmentationHead Senet Senet154 "
        "SequentialWithIdx Seresnet101 Seresnet152 Seresnet50 Seresnext101 Seresnext50 SkipConnectionWithIdx "
        "SpatialTransformer StemInterface StemTS SwinTransformer SwinTransformerBlock SwinUNETR TopologyConstruction "
        "TopologyInstance TopologySearch TorchVisionFCModel TwoConv TwoWayAttentionBlock TwoWayTransformer UNETR UNet "
        "UNetDecoder Unet UpBlock UpCat UpConv UpTransition UpsamplingModes VISTA3D VNet VQVAE VQVAEResidualUnit "
        "VarAutoEncoder VarFullyConnectedNet ViT ViTAutoEnc VoxelMorph VoxelMorphUNet WindowAttention WrappedUpsample "
        "basicunet basicunetplusplus create_mednext densenet121 densenet169 densenet201 densenet264 resnet10 "
        "resnet101 resnet152 resnet18 resnet200 resnet34 resnet50 senet154 seresnet101 seresnet152 seresnet50 "
        "seresnext101 seresnext50 vista3d132 voxelmorph voxelmorphunet"
    ),
    "monai.networks.blocks": _words(
        "ADN ActiConvNormBlock ActivationCheckpointWrapper BackboneWithFPN BaseEncoder CABlock CRF ChannelSELayer "
        "ConvDenseBlock Convolution CrossAttentionBlock DVF2DDF DecomposedRelativePosEmbedding DenseBlock "
        "DepthwiseFFTConv2d DepthwiseFFTConv3d DownSample Downsample ExtraFPNBlock FCN FactorizedIncreaseBlock "
        "FactorizedReduceBlock FeaturePyramidNetwork FeedForward GCN GEGLU LastLevelMaxPool LastLevelP6P7 "
        "LocalNetDownSampleBlock LocalNetFeatureExtractorBlock LocalNetResidualBlock LocalNetUpSampleBlock MCFCN "
        "MLPBlock MaxAvgPool MedNeXtBlock MedNeXtDownBlock MedNeXtOutBlock MedNeXtUpBlock MemoryEfficientSwish Mish "
        "P3DActiConvNormBlock PatchEmbed PatchEmbeddingBlock Refine RegistrationDownSampleBlock "
        "RegistrationExtractionBlock RegistrationResidualConvBlock ResBlock ResidualBlock ResidualSELayer "
        "ResidualUnit SABlock SEBlock SEBottleneck SEResNeXtBottleneck SEResNetBottleneck SPADE SimpleASPP "
        "SpatialAttentionBlock SubpixelDownSample SubpixelDownsample SubpixelUpSample SubpixelUpsample "
        "Subpixeldownsample Subpixelupsample Swish SwishImplementation TextEncoder TransformerBlock UnetBasicBlock "
        "UnetOutBlock UnetResBlock UnetUpBlock UnetrBasicBlock UnetrPrUpBlock UnetrUpBlock UpSample Upsample Warp"
    ),
    "monai.networks.layers": _words(
        "AffineTransform ApplyFilter BilateralFilter ChannelPad ConjugateGradient DropPath EMAQuantizer "
        "EllipticalFilter Flatten GaussianFilter GaussianMixtureModel HilbertTransform LLTM LLTMFunction "
        "LaplaceFilter MeanFilter MedianFilter PHLFilter Reshape SavitzkyGolayFilter SharpenFilter SkipConnection "
        "TrainableBilateralFilter TrainableBilateralFilterFunction TrainableJointBilateralFilter "
        "TrainableJointBilateralFilterFunction VectorQuantizer get_act_layer get_norm_layer get_pool_layer"
    ),
    "monai.networks.schedulers": _words(
        "DDIMScheduler DDPMPredictionType DDPMScheduler DDPMVarianceType PNDMPredictionType PNDMScheduler "
        "RFlowPredictionType RFlowScheduler Scheduler"
    ),
    "monai.losses": _words(
        "AUCMLoss AdversarialCriterions AsymmetricFocalLoss AsymmetricFocalTverskyLoss AsymmetricUnifiedFocalLoss "
        "BarlowTwinsLoss BendingEnergyLoss BoundaryLoss BoxGIoULoss ContrastiveLoss DeepSupervisionLoss Dice "
        "DiceCELoss DiceFocalLoss DiceLoss DiffusionLoss FocalLoss GeneralizedDiceFocalLoss GeneralizedDiceLoss "
        "GeneralizedWassersteinDiceLoss GlobalMutualInformationLoss HausdorffDTLoss JukeboxLoss "
        "LocalNormalizedCrossCorrelationLoss LogHausdorffDTLoss MCCLoss MaskedDiceLoss MaskedLoss MultiScaleLoss "
        "NACLLoss PatchAdversarialLoss SSIMLoss SURELoss SoftDiceclDiceLoss SoftclDiceLoss TverskyLoss dice_ce "
        "dice_focal ds_loss generalized_dice generalized_dice_focal generalized_wasserstein_dice giou"
    ),
    "monai.metrics": _words(
        "AbsoluteVolumeDifferenceMetric AveragePrecisionMetric CalibrationErrorMetric CalibrationReduction "
        "ConfusionMatrixMetric Cumulative CumulativeAverage CumulativeIterationMetric DiceHelper DiceMetric "
        "EmbeddingCollapseMetric FBetaScore FIDMetric GeneralizedDiceScore HausdorffDistanceMetric IterationMetric "
        "KernelType LabelQualityScore LossMetric MAEMetric MAPEMetric MMDMetric MSEMetric MeanIoU Metric "
        "MetricsReloadedBinary MetricsReloadedCategorical MetricsReloadedWrapper MultiScaleSSIMMetric PSNRMetric "
        "PanopticQualityMetric RMSEMetric ROCAUCMetric RegressionMetric SSIMMetric SurfaceDiceMetric "
        "SurfaceDistanceMetric VarianceMetric compute_absolute_volume_difference compute_average_precision "
        "compute_average_surface_distance compute_confusion_matrix_metric compute_dice compute_embedding_collapse "
        "compute_f_beta_score compute_fp_tp_probs compute_fp_tp_probs_nd compute_frechet_distance "
        "compute_froc_curve_data compute_froc_score compute_generalized_dice compute_hausdorff_distance compute_iou "
        "compute_mape_metric compute_mean_error_metrics compute_mean_iou compute_mmd compute_ms_ssim "
        "compute_panoptic_quality compute_roc_auc compute_ssim_and_cs compute_surface_dice compute_variance "
        "compute_voronoi_regions_fast"
    ),
    "monai.inferers": _words(
        "AvgMerger ControlNetDiffusionInferer ControlNetLatentDiffusionInferer DiffusionInferer Inferer "
        "LatentDiffusionInferer Merger PatchInferer SaliencyInferer SimpleInferer SliceInferer SlidingWindowInferer "
        "SlidingWindowInfererAdapt SlidingWindowSplitter Splitter VQVAETransformerInferer WSISlidingWindowSplitter "
        "sliding_window_inference"
    ),
    "monai.engines": _words(
        "AdversarialTrainer DiffusionPrepareBatch EnsembleEvaluator Evaluator GanTrainer IterationEvents PrepareBatch "
        "PrepareBatchDefault PrepareBatchExtraInput SupervisedEvaluator SupervisedTrainer Trainer "
        "VPredictionPrepareBatch Workflow default_make_latent default_metric_cmp_fn default_prepare_batch"
    ),
    "monai.handlers": _words(
        "AveragePrecision CalibrationError CheckpointLoader CheckpointSaver ClassificationSaver ConfusionMatrix "
        "DecollateBatch EarlyStopHandler GarbageCollector HausdorffDistance IgniteMetricHandler LrScheduleHandler "
        "MarkHandler MeanAbsoluteError MeanDice MeanIoUHandler MeanSquaredError MetricLogger MetricLoggerKeys "
        "MetricsReloadedBinaryHandler MetricsReloadedCategoricalHandler MetricsSaver PanopticQuality "
        "ParamSchedulerHandler PeakSignalToNoiseRatio PostProcessing ProbMapProducer ROCAUC RangeHandler "
        "RangePopHandler RangePushHandler RootMeanSquaredError SmartCacheHandler StatsHandler SurfaceDistance "
        "TensorBoardHandler TensorBoardImageHandler TensorBoardStatsHandler ValidationHandler from_engine ignore_data "
        "metriclogger stopping_fn_from_loss stopping_fn_from_metric"
    ),
    "monai.optimizers": _words(
        "DataLoaderIter ExponentialLR LearningRateFinder LinearLR Novograd TrainDataLoaderIter ValDataLoaderIter "
        "WarmupCosineSchedule generate_param_groups"
    ),
    "monai.data": _words(
        "ArrayDataset BaseWSIReader BoxMode CacheDataset CacheNTransDataset CenterSizeMode CornerCornerModeTypeA "
        "CornerCornerModeTypeB CornerCornerModeTypeC CornerSizeMode DataLoader Dataset DatasetSummary "
        "DistributedSampler DistributedWeightedRandomSampler FolderLayout FolderLayoutBase GridPatchDataset ITKReader "
        "ITKWriter ImageDataset ImageReader ImageWriter IterableDataset MaskedPatchWSIDataset MetaTensor "
        "NPZDictItemDataset NibabelReader NibabelWriter NrrdImage NrrdReader NumpyReader OpenSlideWSIReader PILReader "
        "PILWriter PatchDataset PatchIter PatchWSIDataset PersistentDataset PydicomReader ShuffleBuffer "
        "SlidingPatchWSIDataset SmartCacheDataset StandardMode TestTimeAugmentation ThreadBuffer ThreadDataLoader "
        "TiffFileWSIReader WSIReader ZipDataset decollate_batch list_data_collate load_decathlon_datalist "
        "no_collation pad_list_data_collate partition_dataset partition_dataset_classes select_cross_validation_folds"
    ),
    "monai.visualize": _words(
        "CAM CAMBase GradCAM GradCAMpp GuidedBackpropGrad GuidedBackpropSmoothGrad ModelWithHooks "
        "OcclusionSensitivity SmoothGrad VanillaGrad"
    ),
    "monai.apps.detection": _words(
        "ATSSMatcher AffineBox AffineBoxToImageCoordinated AffineBoxToWorldCoordinated AnchorGenerator "
        "AnchorGeneratorWithAnchorShape BoxCoder BoxSelector BoxToMask COCOMetric ClipBoxToImage ConvertBoxMode "
        "ConvertBoxToStandardMode FlipBox HardNegativeSampler HardNegativeSamplerBase MaskToBox Matcher "
        "RandCropBoxByPosNegLabeld RandFlipBoxd RandRotateBox90d RandZoomBoxd ResizeBox RetinaNet "
        "RetinaNetClassificationHead RetinaNetDetector RetinaNetRegressionHead RotateBox90 SpatialCropBox "
        "StandardizeEmptyBox ZoomBox resnet_fpn_feature_extractor retinanet_resnet50_fpn_detector"
    ),
    "monai.apps.pathology": _words(
        "ExtractHEStains GenerateDistanceMap GenerateInstanceBorder GenerateInstanceCentroid GenerateInstanceContour "
        "GenerateInstanceType GenerateSuccinctContour GenerateWatershedMarkers GenerateWatershedMask "
        "HoVerNetInstanceMapPostProcessing HoVerNetLoss HoVerNetNuclearTypePostProcessing LesionFROC "
        "NormalizeHEStains PathologyProbNMS PrepareBatchHoVerNet SlidingWindowHoVerNetInferer Watershed "
        "from_engine_hovernet"
    ),
    "monai.apps.deepgrow": _words(
        "AddGuidanceFromPointsd AddGuidanceSignald AddInitialSeedPointd AddRandomGuidanced Fetch2DSliced "
        "FindAllValidSlicesd FindDiscrepancyRegionsd Interaction ResizeGuidanced RestoreLabeld SpatialCropForegroundd "
        "SpatialCropGuidanced"
    ),
    "monai.apps.deepedit": _words(
        "AddGuidanceFromPointsDeepEditd AddGuidanceSignalDeepEditd AddInitialSeedPointDeepEditd "
        "AddInitialSeedPointMissingLabelsd AddRandomGuidanceDeepEditd DiscardAddGuidanced FindAllValidSlicesDeepEditd "
        "FindAllValidSlicesMissingLabelsd FindDiscrepancyRegionsDeepEditd Interaction NormalizeLabelsInDatasetd "
        "RemapLabelsToSequentiald ResizeGuidanceMultipleLabelDeepEditd SingleLabelSelectiond SplitPredsLabeld"
    ),
    "monai.apps.vista3d": _words("Relabeld VistaPostTransformd VistaPreTransformd"),
    "monai.apps.nuclick": _words(
        "AddClickSignalsd AddLabelAsGuidanced AddPointGuidanceSignald ExtractPatchd FilterImaged FlattenLabeld "
        "NuclickKeys PostFilterLabeld SetLabelClassd SplitLabeld"
    ),
    "monai.apps.reconstruction": _words(
        "CoilSensitivityModel ComplexUnet EquispacedKspaceMask ExtractDataKeyFromMetaKeyd KspaceMask RandomKspaceMask "
        "ReferenceBasedNormalizeIntensityd ReferenceBasedSpatialCropd VarNetBlock VariationalNetworkModel"
    ),
    "monai.apps.generation": _words(
        "AutoencoderKlMaisi ControlNetMaisi DiffusionModelUNetMaisi MaisiConvolution MaisiDecoder MaisiDownsample "
        "MaisiEncoder MaisiGroupNorm3D MaisiResBlock MaisiUpsample"
    ),
    "monai.utils": _words("BlendMode CommonKeys GridSampleMode InterpolateMode ensure_tuple first set_determinism"),
    "monai.networks": _words("normal_init one_hot"),
    "monai.config": _words("print_config"),
}
# Modules of those packages that a dotted name may lead through; any other step could be a module imported there.
STEPS = _words(
    "ATSS_matcher enums misc absolute_volume_difference acti_norm activation activation_checkpointing "
    "active_learning_metrics adaptors adversarial_loss ahnet anchor_utils array aspp attention_utils "
    "attentionunet aucm_loss autoencoder autoencoderkl autoencoderkl_maisi average_precision backbone_fpn_utils "
    "barlow_twins basic_unet basic_unetplusplus batch blocks boundary_loss box_coder box_ops box_selector "
    "box_utils cablock calibration cell_sam_wrapper checkpoint_loader checkpoint_saver class_activation_maps "
    "classification_saver classifier cldice clearml_handlers coco coil_sensitivity_model complex_unet "
    "complex_utils compose confusion_matrix conjugate_gradient contrastive controlnet controlnet_maisi "
    "convolutions convutils crf croppad crossattention csv_saver cumulative_average daf3d dataloader dataset "
    "dataset_summary ddim ddpm decathlon_datalist decollate_batch deform denseblock densenet detector_utils dice "
    "dictionary diffusion_model_unet diffusion_model_unet_maisi dints dints_block downsample drop_path ds_loss "
    "dynunet dynunet_block earlystop_handler efficientnet embedding_collapse encoder engines evaluator "
    "f_beta_score factories fastmri_reader fcn feature_pyramid_network fft_utils fft_utils_t fid filtering "
    "flexible_unet focal_loss folder_layout froc fullyconnectednet functional garbage_collector generalized_dice "
    "generator giou_loss gmm gradient_based grid_dataset handlers hard_negative_sampler hausdorff_distance "
    "hausdorff_loss highresnet hovernet hovernet_loss hyena hyena_nd_unetr ignite_metric image_dataset "
    "image_dissimilarity image_reader image_writer img2tensorboard inferer inferers intensity interaction inverse "
    "inverse_batch_transform io iterable_dataset itk_torch_bridge lazy lesion_froc localnet_block logfile_handler "
    "loss_metric losses lr_finder lr_schedule_handler lr_scheduler maisi masked_autoencoder_vit matching mcc_loss "
    "mean_dice mean_iou meandice meaniou mednext mednext_block merger meta_obj meta_tensor meta_utility metric "
    "metric_logger metrics metrics_reloaded_handler metrics_saver milmodel mlflow_handler mlp mmd mri_utils "
    "multi_scale nacl_loss navit netadapter nets networks novograd nvimgcodec_pydicom_plugin nvtx nvtx_handlers "
    "occlusion_sensitivity panoptic_quality parameter_scheduler patchembedding patchgan_discriminator perceptual "
    "pndm pos_embed_utils post postprocessing predict_utils probability_maps quicknat rectified_flow regression "
    "regression_metrics regressor regularization regunet regunet_block rel_pos_embedding resnet restormer "
    "retinanet_detector retinanet_network roc_auc rocauc sampler samplers scheduler segresnet segresnet_block "
    "segresnet_ds selfattention senet signal simplelayers smartcache_handler smooth_field spade_autoencoderkl "
    "spade_diffusion_model_unet spade_network spade_norm spatial spatial_mask spatial_transforms spatialattention "
    "spectral_loss splitter squeeze_and_excitation ssim_loss stain stats_handler sure_loss surface_dice "
    "surface_distance swin_unetr synthetic tensorboard_handlers test_time_augmentation text_embedding "
    "thread_buffer torchscript_utils torchvision_fc trainer traits transchex transform transformer "
    "transformerblock transforms trt_handler tversky ultrasound_confidence_map unet unetr unetr_block "
    "unified_focal_loss upsample utility utils utils_create_transform_ims utils_morphological_ops "
    "utils_pytorch_numpy_unification validation_handler varautoencoder varnet varnetblock vector_quantizer "
    "video_dataset vista3d visualizer vit vitautoenc vnet voxelmorph vqvae warp weight_init workflow wrapper "
    "wsi_datasets wsi_reader"
)

# What takes the name of a class as text and looks it up anywhere, or reads pickles when asked to: a config may build it
# where its arguments can be seen, and an expression may not.
LOOKS_UP_NAMES = {"LoadImage", "SaveImage", "PatchInferer", "NumpyReader", "PersistentDataset", "CacheNTransDataset"}

READERS = _words("ITKReader NibabelReader NibabelGPUReader NrrdReader NumpyReader PILReader PydicomReader WSIReader")
WRITERS = _words("ITKWriter NibabelWriter PILWriter")
MERGERS = _words("AvgMerger")
